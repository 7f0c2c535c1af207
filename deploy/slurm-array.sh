#!/usr/bin/env bash
# A sweep as a Slurm job array: every task runs one shard of it. What stands behind the name of this
# file is what `mqsim sweep` takes:
#
#   sbatch --array=1-8 deploy/slurm-array.sh SCENARIO --set KEY=a,b,c --seeds 1..=20 --out shards
#
# and when all tasks are done, `mqsim merge shards --out reports` puts the shards together. A task
# that is killed or requeued goes on where it was. To run some tasks again only, say of how many:
#
#   SHARDS=8 sbatch --array=3,5 deploy/slurm-array.sh ...
#
# --out must be on a file system that all nodes share.
#SBATCH --job-name=mqsim-sweep
#SBATCH --array=1-8
#SBATCH --cpus-per-task=1
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=mqsim-sweep-%a.log
set -euo pipefail
exec mqsim sweep "$@" --jobs "${SLURM_CPUS_PER_TASK:-1}" \
  --shard "$SLURM_ARRAY_TASK_ID/${SHARDS:-$SLURM_ARRAY_TASK_COUNT}"
