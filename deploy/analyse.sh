#!/bin/sh
# Analyses one snapshot of an object store's prefix: number $JOB_COMPLETION_INDEX of
# those below $FROM, in the order of their names. For each, three objects come to be
# below $TO: NAME.summary.json, NAME.suspects.json, NAME.classes.parquet.
#
#   FROM=s3://heaps/2026-11-27/ TO=s3://heaps/results/ JOB_COMPLETION_INDEX=0 deploy/analyse.sh
#
# Needs heapsnap and the AWS command line (any store that it can reach: --endpoint-url
# by AWS_ENDPOINT_URL). Nothing but the snapshot itself is on the disk, in $TMPDIR.
set -eu

list() {
  aws s3 ls --recursive "$FROM" | awk '$4 ~ /\.heapsnapshot(\.gz|\.zst)?$/ { print $4 }' | sort
}

if [ "${1:-}" = count ]; then # how many completions the Job needs
  list | wc -l
  exit
fi

key=$(list | sed -n "$((JOB_COMPLETION_INDEX + 1))p")
if [ -z "$key" ]; then
  echo "there is no snapshot number $JOB_COMPLETION_INDEX below $FROM" >&2
  exit 0
fi
bucket=$(echo "$FROM" | cut -d/ -f1-3)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
name=$(basename "$key")
file=$work/$name
aws s3 cp --quiet "$bucket/$key" "$file"

# 1 is a finding and 4 is "not to be told from one snapshot": both are results.
said() {
  "$@" || case $? in 1 | 4) ;; *) echo "$key: heapsnap ended with $?" >&2; return 1 ;; esac
}
said heapsnap summary "$file" --no-index --format json > "$work/summary.json"
said heapsnap suspects "$file" --format json > "$work/suspects.json"
heapsnap export "$file" --no-index --table classes --format parquet -o "$work/classes.parquet"
for result in summary.json suspects.json classes.parquet; do
  aws s3 cp --quiet "$work/$result" "${TO%/}/$key.$result"
done
echo "$key: done"
