#!/bin/sh
# A nightly job for cron. Its crontab line:
#   0 2 * * *  runtally exec --job-type nightly --exclusive -- /opt/jobs/nightly.sh
# Each client is a part of the run that `runtally exec` has told; one client's failure stops no other.
set -u

score() {
    [ "$1" != broken ] || { echo "$1 has no source" >&2; return 3; }
    echo "scoring $1"
    runtally emit client.metrics.updated --metric leads_processed=2 --metric profile_scoring_tokens=812 --skip NO_CONTENT=1
}

if [ "${1-}" = score ]; then
    score "$2"
    exit
fi

for client in acme Jane-Doe broken; do
    runtally exec --run-id "$RUNTALLY_RUN_ID" --client "$client" -- "$0" score "$client" || echo "$client: exit code $?" >&2
done
runtally emit job.rows.requested --note "all clients were tried"
