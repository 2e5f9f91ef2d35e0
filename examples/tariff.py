"""A tariff of factors between 0 and 1 for the claims of a car insurance, beside a GLM.

    python examples/tariff.py
    python examples/tariff.py --data policies.csv --count Claims --exposure Holders

64 groups of holders (Baxter, Coutts and Ross 1980; examples/data/README.md) by district, engine and
age. `synann.LogLinkRegressor` learns claims = holders · α ∏ (1 − β y); scikit-learn's
PoissonRegressor without a penalty is the generalised linear model with log link.

Makes tables of deviance and of the tariff's factors, and one premium as a product; no file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.linear_model import PoissonRegressor
from sklearn.metrics import mean_poisson_deviance
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from tabulate import tabulate

from shared.options import make_parser
from synann.tabular import LogLinkRegressor

DATA = Path(__file__).parent / "data" / "insurance_claims.csv"
ORDERS = {"Group": ("<1l", "1-1.5l", "1.5-2l", ">2l"), "Age": ("<25", "25-29", "30-35", ">35")}
MONOTONE = {"Group": "increasing", "Age": "decreasing"}


def read(path: Path, count: str, exposure: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names of the features, their columns, and claims and holders as two columns."""
    try:
        header, *rows = [line.split(",") for line in path.read_text("utf-8").splitlines()]
        at = [header.index(count), header.index(exposure)]
        table = np.array(rows)
        totals = table[:, at].astype(float)
    except (OSError, ValueError, IndexError) as error:
        raise SystemExit(f"--data {path}: {error}") from None
    rest = [j for j in range(len(header)) if j not in at]
    return [header[j] for j in rest], table[:, rest], totals


def models(names: list[str], table: np.ndarray) -> dict[str, LogLinkRegressor]:
    """Tariffs by what holds their factors; the columns have no names, but x0, x1, …"""
    known = {f"x{j}": name for j, name in enumerate(names)}
    levels = {x: ORDERS[name] for x, name in known.items() if name in ORDERS}
    kinds = {x: MONOTONE.get(name, "highest") for x, name in known.items()}
    options = {"levels": levels, "categorical_features": list(range(table.shape[1]))}
    return {
        "factors as they come (the GLM)": LogLinkRegressor(constraints="free", **options),
        "base: the highest rate": LogLinkRegressor(**options),
        "engine up, age down": LogLinkRegressor(constraints=kinds, **options),
        "at most 1 beside the first level": LogLinkRegressor(constraints="nonnegative", **options),
        "the same as a binomial": LogLinkRegressor("binomial", **options),
    }


def glm_deviance(table: np.ndarray, claims: np.ndarray, holders: np.ndarray) -> float:
    """Deviance of scikit-learn's Poisson regression on rates, weighted by the exposure."""
    glm = make_pipeline(
        OneHotEncoder(drop="first", sparse_output=False),
        PoissonRegressor(alpha=0.0, tol=1e-10, max_iter=10_000),
    )
    glm.fit(table, claims / holders, poissonregressor__sample_weight=holders)
    return len(claims) * mean_poisson_deviance(claims, holders * glm.predict(table))


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__, output=False)
    parser.add_argument("--data", type=Path, default=DATA, help="CSV file with a header")
    parser.add_argument("--count", default="Claims", help="column of the counts")
    parser.add_argument("--exposure", default="Holders", help="column of the exposure")
    options = parser.parse_args(arguments)
    names, table, totals = read(options.data, options.count, options.exposure)
    claims, holders = totals.T
    print(f"{len(table)} groups, {holders.sum():.0f} holders, {claims.sum():.0f} claims\n")
    rows = [("scikit-learn's PoissonRegressor", glm_deviance(table, claims, holders), "", "")]
    fitted = models(names, table)
    for label, model in fitted.items():
        model.fit(table, claims, exposure=holders)
        factors = [factor for levels in model.factors_.values() for factor in levels.values()]
        share = f"{100 * model.score(table, claims, exposure=holders):.1f} %"
        rows.append((label, model.deviance_, share, f"{min(factors):.2f} to {max(factors):.2f}"))
    header = ("model", "deviance", "explained", "factors")
    print(tabulate(rows, header, floatfmt=".3f", disable_numparse=[2, 3]))
    tariff = fitted["base: the highest rate"]
    print(f"\n{tariff.tariff(names)}")
    print(f"\ndispersion {tariff.dispersion_:.2f}")
    one = table[:1]
    parts = " · ".join(f"{factor:.3f}" for factor in tariff.explain(one)[0])
    rate = tariff.predict(one)[0]
    print(f"{', '.join(one[0])}: {tariff.alpha_:.3f} · {parts} = {rate:.3f} claims a holder")


if __name__ == "__main__":
    main()
