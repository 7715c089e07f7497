#!/usr/bin/env bash
# Runs pgbench against a fresh spanlite node and, if its server is installed,
# against a fresh PostgreSQL in turn, and prints throughput and ratios. The two
# run in the same minutes, because machines are shared and noisy.
#
#   SCALE=10 SECONDS_EACH=10 CLIENTS="1 8 32" ROUNDS=1 testdata/bench/pgbench.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

SCALE=${SCALE:-10}
SECONDS_EACH=${SECONDS_EACH:-10}
CLIENTS=${CLIENTS:-"1 8 32"}
ROUNDS=${ROUNDS:-1}
MODE=${MODE:-prepared}
command -v pgbench >/dev/null || { echo "pgbench is not installed"; exit 1; }

work=$(mktemp -d)
chmod 755 "$work"
pids=()
cleanup() {
  for p in "${pids[@]:-}"; do kill "$p" 2>/dev/null || true; done
  [ -d "$work/pg" ] && as_postgres "$pgbin/pg_ctl -D $work/pg -m immediate stop" >/dev/null 2>&1 || true
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
as_postgres() { if [ "$(id -u)" = 0 ]; then su postgres -c "$1"; else sh -c "$1"; fi; }

bin/spanlite start --store="$work/store" --listen-addr=127.0.0.1:0 --sql-addr=127.0.0.1:17432 --http-addr= \
  >"$work/spanlite.out" 2>"$work/spanlite.err" &
pids+=($!)
until psql "postgresql://root@127.0.0.1:17432/defaultdb" -qc 'select 1' >/dev/null 2>&1; do sleep 0.1; done
targets=("spanlite postgresql://root@127.0.0.1:17432/defaultdb")

pgbin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1 || true)
if [ -n "$pgbin" ] && [ -x "$pgbin/initdb" ]; then
  install -d -o "$( [ "$(id -u)" = 0 ] && echo postgres || id -un )" "$work/pg"
  as_postgres "$pgbin/initdb -A trust -D $work/pg" >/dev/null
  as_postgres "$pgbin/pg_ctl -w -D $work/pg -o '-p 17433 -k /tmp -c listen_addresses=127.0.0.1 -c shared_buffers=1GB' -l $work/pg/log start" >/dev/null
  targets+=("postgresql postgresql://postgres@127.0.0.1:17433/postgres")
fi

for t in "${targets[@]}"; do
  set -- $t
  start=$(date +%s.%N)
  pgbench -i -q -s "$SCALE" "$2" >/dev/null 2>&1
  printf '%-12s load scale %s: %.1f s\n' "$1" "$SCALE" "$(echo "$(date +%s.%N) - $start" | bc)"
done

printf '\n%-12s %8s %14s %14s %8s\n' workload clients spanlite postgresql ratio
for kind in tpcb select simple-update; do
  case $kind in
    tpcb) flags="" ;;
    select) flags="-S" ;;
    simple-update) flags="-N" ;;
  esac
  for c in $CLIENTS; do
    declare -A sum=([spanlite]=0 [postgresql]=0)
    for _ in $(seq "$ROUNDS"); do
      for t in "${targets[@]}"; do
        set -- $t
        tps=$(pgbench -n $flags -M "$MODE" -c "$c" -j 2 -T "$SECONDS_EACH" --max-tries=10 "$2" 2>"$work/err" |
          sed -n 's/^tps = \([0-9.]*\).*/\1/p')
        [ -n "$tps" ] || { echo "$1 failed:"; tail -3 "$work/err"; tps=0; }
        sum[$1]=$(echo "${sum[$1]} + $tps / $ROUNDS" | bc -l)
      done
    done
    ratio=-
    [ "${sum[postgresql]}" != 0 ] && ratio=$(echo "${sum[spanlite]} / ${sum[postgresql]}" | bc -l)
    printf '%-12s %8s %14.0f %14.0f %8.2f\n' "$kind" "$c" "${sum[spanlite]}" "${sum[postgresql]}" "$ratio"
  done
done
