from collections import Counter, defaultdict
from itertools import pairwise

from tests.load import plan
from tests.load.plan import PAUSE_SECONDS, TOKEN, Load


class TestSteadyPlan:
    def test_keeps_the_rate(self):
        messages = plan.planned(Load(rate=50, count=100, numbers=10))

        assert [message.offset for message in messages[:3]] == [0.0, 0.02, 0.04]
        assert messages[-1].offset == 99 / 50

    def test_is_the_same_each_time(self):
        load = Load(rate=50, count=500, numbers=10, known=30)

        assert plan.planned(load) == plan.planned(load)

    def test_takes_half_of_the_messages_from_people_who_wrote_before(self):
        load = Load(rate=10, count=1000, numbers=10, known=300)

        known = [message for message in plan.planned(load) if message.customer < 300]
        seen = Counter(message.customer for message in plan.planned(load))

        assert len(known) < 500
        assert 490 <= len(seen) - len({message.customer for message in known}) <= 510

    def test_lets_nobody_write_again_before_the_reply_can_be_there(self):
        times = defaultdict(list)
        for message in plan.planned(Load(rate=100, count=3000, numbers=10, known=20)):
            times[message.customer].append(message.offset)

        gaps = [later - sooner for each in times.values() for sooner, later in pairwise(each)]

        assert min(gaps) >= PAUSE_SECONDS

    def test_brings_new_people_in_without_a_gap(self):
        messages = plan.planned(Load(rate=100, count=2000, numbers=10, known=20))

        assert {message.customer for message in messages} | set(range(20)) == set(
            range(1 + max(message.customer for message in messages))
        )

    def test_takes_no_customers_of_another_load_who_wrote_to_other_numbers(self):
        load = Load(rate=10, count=300, numbers=5, first_number=7, known_from=40, known=40)

        assert min(message.customer for message in plan.planned(load)) == 40
        numbers = {load.number_of(message.customer) for message in plan.planned(load)}
        assert numbers == {plan.number(place) for place in range(7, 12)}


class TestPictures:
    def test_are_every_nth_message(self):
        messages = plan.planned(Load(rate=10, count=100, numbers=1, known=20, picture_every=5))

        assert [place for place, message in enumerate(messages) if message.is_picture] == list(
            range(4, 100, 5)
        )

    def test_are_in_no_load_that_asks_for_none(self):
        assert not any(message.is_picture for message in plan.planned(Load(rate=10, count=100, numbers=1)))

    def test_come_from_known_and_from_new_customers(self):
        load = Load(rate=10, count=200, numbers=1, known=100, picture_every=5)
        pictures = [message for message in plan.planned(load) if message.is_picture]

        assert {message.customer < 100 for message in pictures} == {True, False}


class TestBurstPlan:
    def test_has_every_fourth_customer_write_twice_once_all_have_written(self):
        messages = plan.planned(Load(rate=0, count=50, numbers=10, known=5))

        writers = [message.customer for message in messages]
        assert writers[:40] == list(range(5, 45))
        assert writers[40:] == list(range(5, 45, 4))
        assert {message.offset for message in messages} == {0.0}


class TestTokens:
    def test_are_found_in_what_quotes_them(self):
        first, second = plan.planned(Load(rate=1, count=2, numbers=1, first_token=41))

        quoted = f'You wrote: "{plan.text(first.token)} / {plan.text(second.token)}"'

        assert TOKEN.findall(quoted) == [first.token, second.token] == ["msg0000041x", "msg0000042x"]
