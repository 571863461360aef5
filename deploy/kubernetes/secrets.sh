#!/bin/sh
# What each service logs in to NATS with, from the folder that `parley nats-keys KEYS` has filled:
#
#   deploy/kubernetes/secrets.sh KEYS | kubectl apply --server-side -f -
#
# With `seeds` after KEYS, without what NATS is told: for a new key, which services need first.
set -eu
keys=${1:?"usage: secrets.sh KEYS [seeds], the folder of parley nats-keys"}

object() {
    kubectl create "$@" --namespace parley --dry-run=client --output yaml
    echo ---
}

for service in gateway stt agent tts; do
    object secret generic "parley-nats-$service" --from-file="seed=$keys/$service/seed"
done
[ "${2:-}" = seeds ] || object configmap nats-keys --from-file="$keys/nats/keys.conf"
