"""The tariff of the claims table."""

import pytest

import tariff


def deviances(out):
    lines = out.split("---\n")[1].splitlines()[:6]
    return [float(next(word for word in line.split("  ") if "." in word)) for line in lines]


def test_the_example_finds_the_deviance_of_the_glm(capsys):
    tariff.main([])
    out = capsys.readouterr().out
    assert "64 groups, 23359 holders, 3151 claims" in out
    glm, free, highest, monotone, wrong, _ = deviances(out)
    assert glm == pytest.approx(51.42, abs=0.001)
    assert [free, highest, monotone] == [glm] * 3
    assert wrong > 2 * glm
    assert "District 4       1.000" in out
    assert out.splitlines()[-1].startswith("1, <1l, <25: 0.359 · 0.791 · 0.569 · 1.000 = 0.162")


def test_another_table_is_read(tmp_path, capsys):
    path = tmp_path / "table.csv"
    path.write_text("place,n,years\ntown,8,10\ntown,2,10\ncountry,5,10\ncountry,4,10\n")
    tariff.main(["--data", str(path), "--count", "n", "--exposure", "years"])
    assert "place   town     1.000" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"), [(None, "No such file"), ("a,b\n1,2\n", "'Claims' is not in list")]
)
def test_files_that_will_not_do_give_one_line(tmp_path, content, message):
    path = tmp_path / "table.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SystemExit, match=message):
        tariff.main(["--data", str(path)])
