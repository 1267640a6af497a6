package heapsnap

// decimals parses numbers of text from at on, each followed by a comma, into
// values. It stops where values are full or text ends, and before a number that
// is not as V8 writes them: of more than 15 digits, or with anything but one line
// end around it. It returns how many numbers there were and where it stopped.
//
// This is nine tenths of reading, so there are two of it: decimalsAVX2 for the
// processors that most have, and this for the rest, and to hold it to.
func decimals(values []uint64, text []byte, at int) (n, end int) {
	if fastDecimals && at >= decimalsBefore {
		return decimalsAVX2(values, text, at)
	}
	return decimalsSlowly(values, text, at)
}

const maxDecimals = 15 // digits: what one look at 16 bytes tells apart from longer ones

func decimalsSlowly(values []uint64, text []byte, at int) (n, end int) {
	for n < len(values) {
		i, v := at, uint64(0)
		for i < len(text) {
			c := text[i] - '0'
			if c > 9 {
				break
			}
			v = v*10 + uint64(c)
			i++
		}
		if i == at || i-at > maxDecimals {
			break
		}
		if i < len(text) && text[i] == '\n' { // before the comma between two rows, up to Node 22
			i++
		}
		if i >= len(text) || text[i] != ',' {
			break
		}
		values[n] = v
		n, at = n+1, i+1
	}
	return n, at
}
