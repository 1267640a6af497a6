# The static binary and nothing else, for a debug container beside the program. After make dist:
#   docker build -f deploy/scratch.Dockerfile --build-arg TARGETARCH=amd64 -t heapsnap .
FROM scratch
ARG TARGETARCH=amd64
COPY dist/heapsnap-linux-${TARGETARCH} /heapsnap
ENTRYPOINT ["/heapsnap"]
