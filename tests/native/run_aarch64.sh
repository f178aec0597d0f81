#!/bin/sh
# run_aarch64.sh [BUILD_DIR]: cross-compiles the self test for 64-bit ARM and runs it under QEMU.
# Exit status 77 (skipped) where the cross compiler or the emulator is missing.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${1:-"$root/build/aarch64"}
for tool in aarch64-linux-gnu-g++ qemu-aarch64 cmake; do
  if ! command -v "$tool" >/dev/null; then
    echo "skipped: $tool is missing (apt-get install g++-aarch64-linux-gnu qemu-user cmake)"
    exit 77
  fi
done
# Static: the emulator then needs no ARM system libraries.
cmake -S "$root" -B "$build" -DFEWBITS_SELFTEST=ON -DCMAKE_SYSTEM_NAME=Linux \
  -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ \
  -DCMAKE_EXE_LINKER_FLAGS=-static >/dev/null
cmake --build "$build" --parallel 2 >/dev/null
exec qemu-aarch64 -cpu max "$build/selftest"
