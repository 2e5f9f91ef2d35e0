#!/bin/sh
# Build replay.c and all kernels, and run it: replay.sh NAME COMPILER LEVEL FILE [OPTION ...]
# With EMULATOR, the command that runs programs of another processor.
set -eu
name=$1 compiler=$2 level=$3 file=$4
shift 4
root=$(cd "$(dirname "$0")/../../.." && pwd)
sources=$root/synann_core/native build=$root/build/replay-$name
engines="contraction_forward contraction_backward contraction_narrow contraction_tangent contraction_outside
graph graph_arrays graph_derivatives graph_surprisal layer lif lif_backward noisy_or noisy_or_plan spike_codes"
options="-std=c11 -O1 -D_GNU_SOURCE -ffp-contract=off -fno-math-errno -fno-trapping-math
-Wall -Wextra -Wconversion -Werror -DLEVEL=$level -I$sources"
mkdir -p "$build"
objects=
for real in float:FLOAT double:DOUBLE; do
    for engine in $engines; do
        object=$build/$engine-${real%:*}.o
        # shellcheck disable=SC2086
        "$compiler" $options "$@" -DREAL="${real%:*}" -DREAL_IS_"${real#*:}" \
            -c "$sources/$engine.c" -o "$object"
        objects="$objects $object"
    done
done
# shellcheck disable=SC2086
"$compiler" $options "$@" "$root/tests/synann_core/native/replay.c" $objects -lm -o "$build/replay"
${EMULATOR:-} "$build/replay" "$file"
