cd /work/h/train; export LIVEPOSE_SHARED=/work/shared OMP_NUM_THREADS=1 PYTHONPATH=/work/h/train PATH=/work/h/train/.venv/bin:$PATH
pt() { nice -n 5 python -m pytest -q -x -p no:cacheprovider "$@"; }
