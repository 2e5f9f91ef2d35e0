"""Use an installed synann: use_wheel.py BRANCH fails if another branch than that one serves.

BRANCH is what `log_transmission_variant` is to say: native, or array-api where the wheel was built
without a compiler. The checkout's own sources must not be found in place of the wheel's.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import synann as syn
from synann.noisy_or import NoisyOr

branch = sys.argv[1]
here = Path(__file__).parent.parent
if here / "synann" / "__init__.py" == Path(syn.__file__):
    raise SystemExit(f"{syn.__file__} is the checkout's, not the wheel's")
y, beta = np.linspace(0, 1, 67), np.linspace(0, 0.9, 5 * 67).reshape(5, 67)
served = syn.log_transmission_variant(y, beta)
if served != branch:
    raise SystemExit(f"{served} serves, not {branch}")
wanted = np.log1p(-beta * y).sum(axis=-1)
np.testing.assert_allclose(syn.log_transmission(y, beta), wanted, rtol=1e-13)
gradients = syn.log_transmission_vjp(y, beta, np.ones(5))
np.testing.assert_allclose(gradients[0], (-beta / (1 - beta * y)).sum(axis=0), rtol=1e-13)
with tempfile.TemporaryDirectory() as folder:  # the templates came along
    syn.export.save_c(syn.SynaMLP(2, 3, 2), Path(folder) / "network.c")
    NoisyOr([0.1], [0.1], [[0.5]]).save_html(Path(folder) / "page.html")
told = subprocess.run([sys.executable, "-m", "synann", "--json"], capture_output=True, text=True)
report = json.loads(told.stdout)  # it fails by itself where a result is wrong
if told.returncode or report["kernels"]["active"] != (branch == "native"):
    raise SystemExit(f"python -m synann, status {told.returncode}: {told.stdout}{told.stderr}")
print(f"python -m synann: {report['kernels']['reason']}, {report['branches']}")
print(f"synann {syn.__version__} from the wheel, with {served}: {syn.synapse(0.9, 0.2, beta=0.5)}")
