from services.api.losses import LossCounter


def test_a_hole_is_counted_and_an_overtaking_message_is_not() -> None:
    losses = LossCounter()
    for number in (0, 2, 1, 3, 6):
        losses.note("a", number)
    losses.note("b", 40)
    assert losses.lost == 2
