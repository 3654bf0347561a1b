"""The plot of what each doubling of a training brings."""

from studies.learning_curve import main, tables

CARDS = """# Cards

| 999 | no row of a curve | 1.0 [0.5, 1.5] |

| crops in all | what | AP |
| ---: | --- | ---: |
| 100 thousand | a [link](x), 2 sizes | 30.0 [28.0, 32.5] |
| 400 thousand | the same | 40.0 [38.0, 42.0] |

| images in all | AP50 | AP |
| ---: | ---: | ---: |
| 50 thousand | 52.4 | 26.4 |
| 100 thousand | 60.4 [57.0, 64.0] | 35.4 [32.9, 38.4] |
"""


def test_the_first_figures_of_the_cards_are_plotted_with_where_the_bars_lie(tmp_path, capsys):
    crops, images = tables(CARDS)
    assert crops == [(100, 30.0, 28.0, 32.5), (400, 40.0, 38.0, 42.0)]
    assert images == [(50, 52.4, 52.4, 52.4), (100, 60.4, 57.0, 64.0)]
    cards, plot = tmp_path / "cards.md", tmp_path / "learning.png"
    cards.write_text(CARDS)
    assert main(["--cards", str(cards), "--plot", str(plot)]) == 0
    assert plot.stat().st_size > 10_000
    assert "55 at 3200 thousand" in capsys.readouterr().out
