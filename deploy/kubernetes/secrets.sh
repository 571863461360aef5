#!/bin/sh
# What each service logs in to NATS with, from the folder that `parley nats-keys KEYS` has filled:
#
#   deploy/kubernetes/secrets.sh KEYS | kubectl apply -f -
set -eu
keys=${1:?"usage: secrets.sh KEYS, the folder of parley nats-keys"}

object() {
    kubectl create "$@" --namespace parley --dry-run=client --output yaml
    echo ---
}

for service in gateway stt agent tts; do
    object secret generic "parley-nats-$service" --from-file="seed=$keys/$service/seed"
done
object configmap nats-keys --from-file="$keys/nats/keys.conf"
