#include "textflag.h"

// decimalsAVX2 parses numbers without waiting for one to know where the next
// begins, and without a branch per digit, which no processor guesses.
//
//  1. 64 bytes from the first number on are compared with a comma: a mask with a
//     bit for each, so the numbers' ends are known at once.
//  2. A number of k digits that ends before p is in the 16 bytes before p. Bytes
//     that are not its own become 0 by a mask from a table of 16 zeros and 64
//     ones, read k bytes in.
//  3. Digits are summed pairwise, 16 to 8 to 4 to 2 numbers (W. Mula, "SIMD-ized
//     parsing of unsigned integers"): the first eight and the last eight digits.
//     Two numbers go through this side by side.
//  4. After eight numbers, what was taken for a digit and is none, and lengths
//     that are none, show in two registers that gathered them. Then the block is
//     left to the caller, who goes by single bytes.
//
// Where line ends stand before commas, or where fewer than eight numbers are in 64
// bytes, they go one by one, see single.

DATA ·keep<>+0(SB)/8, $0
DATA ·keep<>+8(SB)/8, $0
DATA ·keep<>+16(SB)/8, $-1
DATA ·keep<>+24(SB)/8, $-1
DATA ·keep<>+32(SB)/8, $-1
DATA ·keep<>+40(SB)/8, $-1
DATA ·keep<>+48(SB)/8, $-1
DATA ·keep<>+56(SB)/8, $-1
DATA ·keep<>+64(SB)/8, $-1
DATA ·keep<>+72(SB)/8, $-1
GLOBL ·keep<>(SB), RODATA|NOPTR, $80

// Weights of neighbouring digits, pairs and fours, and of the first eight of
// sixteen digits.
DATA ·tens<>+0(SB)/8, $0x010a010a010a010a
GLOBL ·tens<>(SB), RODATA|NOPTR, $8
DATA ·hundreds<>+0(SB)/8, $0x0001006400010064
GLOBL ·hundreds<>(SB), RODATA|NOPTR, $8
DATA ·myriads<>+0(SB)/8, $0x0001271000012710
GLOBL ·myriads<>(SB), RODATA|NOPTR, $8
DATA ·eights<>+0(SB)/8, $100000000
GLOBL ·eights<>(SB), RODATA|NOPTR, $8
DATA ·zero<>+0(SB)/8, $0xd0d0d0d0d0d0d0d0 // -'0'
GLOBL ·zero<>(SB), RODATA|NOPTR, $8
DATA ·nine<>+0(SB)/8, $0x0909090909090909
GLOBL ·nine<>(SB), RODATA|NOPTR, $8
DATA ·comma<>+0(SB)/8, $0x2c2c2c2c2c2c2c2c
GLOBL ·comma<>(SB), RODATA|NOPTR, $8
DATA ·line<>+0(SB)/8, $0x0a0a0a0a0a0a0a0a
GLOBL ·line<>(SB), RODATA|NOPTR, $8

// AX has the commas left of the block at R9, BX gets the place of the next, R10
// is where its number begins, CX gets how long it is, and R12 gathers lengths.
#define NEXT \
	TZCNTQ AX, BX; \
	BLSRQ  AX, AX; \
	MOVQ   BX, CX; \
	SUBQ   R10, CX; \
	ORQ    CX, R12; \
	LEAQ   1(BX), R10

// Y0, digits and bytes of others' with the mask Y1, becomes one number in each
// half. Y7 gathers the greatest of what was taken for a digit.
#define SUM \
	VPADDB     Y8, Y0, Y0; \
	VPAND      Y1, Y0, Y0; \
	VPMAXUB    Y0, Y7, Y7; \
	VPMADDUBSW Y9, Y0, Y0; \
	VPMADDWD   Y10, Y0, Y0; \
	VPACKUSDW  Y0, Y0, Y0; \
	VPMADDWD   Y11, Y0, Y0; \
	VPMULUDQ   Y12, Y0, Y1; \
	VPSRLQ     $32, Y0, Y0; \
	VPADDQ     Y1, Y0, Y0

#define TWO(place) \
	NEXT; \
	VMOVDQU      -16(R9)(BX*1), X0; \
	VMOVDQU      (R11)(CX*1), X1; \
	NEXT; \
	VINSERTI128  $1, -16(R9)(BX*1), Y0, Y0; \
	VINSERTI128  $1, (R11)(CX*1), Y1, Y1; \
	SUM; \
	VMOVQ        X0, (place)(DI); \
	VEXTRACTI128 $1, Y0, X0; \
	VMOVQ        X0, (place+8)(DI)

// func decimalsAVX2(values []uint64, text []byte, at int) (n, end int)
TEXT ·decimalsAVX2(SB), NOSPLIT, $0-72
	MOVQ values_base+0(FP), DI
	MOVQ values_len+8(FP), R8
	MOVQ text_base+24(FP), SI
	MOVQ text_len+32(FP), R15
	MOVQ at+48(FP), R9
	ADDQ SI, R15
	SUBQ $64, R15             // the last place from where 64 bytes can be read
	ADDQ SI, R9               // where the block begins, and a number with it
	LEAQ (DI)(R8*8), R8       // end of values
	LEAQ ·keep<>(SB), R11
	VPBROADCASTQ ·zero<>(SB), Y8
	VPBROADCASTQ ·tens<>(SB), Y9
	VPBROADCASTQ ·hundreds<>(SB), Y10
	VPBROADCASTQ ·myriads<>(SB), Y11
	VPBROADCASTQ ·eights<>(SB), Y12
	VPBROADCASTQ ·nine<>(SB), Y13
	VPBROADCASTQ ·comma<>(SB), Y14
	VPBROADCASTQ ·line<>(SB), Y15

block:
	CMPQ R9, R15
	JA   done
	VMOVDQU   (R9), Y2
	VMOVDQU   32(R9), Y3
	VPCMPEQB  Y14, Y2, Y4
	VPCMPEQB  Y14, Y3, Y5
	VPMOVMSKB Y4, AX
	VPMOVMSKB Y5, CX
	SHLQ      $32, CX
	ORQ       CX, AX
	VPCMPEQB  Y15, Y2, Y4
	VPCMPEQB  Y15, Y3, Y5
	VPOR      Y4, Y5, Y4
	XORL      R10, R10
	XORL      R12, R12
	VPXOR     X7, X7, X7
	LEAQ      1(AX)(AX*1), CX // no digit before a comma: left to the caller
	TESTQ     AX, CX
	JNZ       done
	VPTEST    Y4, Y4
	JNZ       single
	POPCNTQ   AX, CX
	CMPQ      CX, $8
	JB        single
	LEAQ      64(DI), CX
	CMPQ      CX, R8
	JA        single

	TWO(0)
	TWO(16)
	TWO(32)
	TWO(48)
	CMPQ     R12, $16         // a number of 16 digits or more
	JAE      done
	VPSUBUSB Y13, Y7, Y7      // above 9 there is no digit
	VPTEST   Y7, Y7
	JNZ      done
	ADDQ     $64, DI
	ADDQ     R10, R9
	JMP      block

single:
	TESTQ AX, AX
	JZ    next
	CMPQ  DI, R8
	JAE   next
	TZCNTQ AX, BX
	BLSRQ  AX, AX
	LEAQ   1(BX), R13         // where the next number begins
	XORL   DX, DX
	CMPB   -1(R9)(BX*1), $'\n'
	SETEQ  DX
	SUBQ   DX, BX
	MOVQ   BX, CX
	SUBQ   R10, CX
	LEAQ   -1(CX), R12        // no digit at all, or 16 or more
	CMPQ   R12, $15
	JAE    next
	VMOVDQU  -16(R9)(BX*1), X0
	VMOVDQU  (R11)(CX*1), X1
	SUM
	VPSUBUSB X13, X7, X2
	VPTEST   X2, X2
	JNZ      next
	VMOVQ    X0, (DI)
	ADDQ     $8, DI
	MOVQ     R13, R10
	JMP      single

next:
	ADDQ  R10, R9
	TESTQ R10, R10            // no number in 64 bytes, or one that is left to the caller
	JZ    done
	CMPQ  DI, R8
	JB    block

done:
	VZEROUPPER
	SUBQ values_base+0(FP), DI
	SHRQ $3, DI
	MOVQ DI, n+56(FP)
	SUBQ SI, R9
	MOVQ R9, end+64(FP)
	RET
