"""What every engine promises, as tests that an engine can run on itself."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, ClassVar

import pytest

from pytest_infer.case import PRECISIONS, Case
from pytest_infer.config import InferConfig
from pytest_infer.devices.device import Device
from pytest_infer.engines import registry as engines
from pytest_infer.errors import RunError
from pytest_infer.hosts.engine_client import EngineClient
from pytest_infer.plugin.options import read_config
from pytest_infer.session.engine import EngineUnderTest
from pytest_infer.session.latency import TimedCalls
from pytest_infer.session.parity import Parity
from pytest_infer.session.reference import Reference
from pytest_infer.session.session import InferSession
from pytest_infer.timing.look import look_from_outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_infer.arrays import Array
    from pytest_infer.case import OptionValue, Precision
    from pytest_infer.engines.protocol import Engine
    from pytest_infer.timing.look import Look

MODEL = "contract_cnn"


class EngineContract:
    """Subclass it, name the engine, and pytest runs the contract on it in a real host.

    The engine must be one that `pytest_infer.engines` finds: an entry point, or registered in
    a ``conftest.py``. A subclass may name another ``device``, and ``options`` of the engine. Its
    host is that of ``--infer-host``: an engine's library may be in another environment.
    """

    engine_name: ClassVar[str]
    device: ClassVar[str] = "cpu"
    options: ClassVar[Mapping[str, OptionValue]] = {}

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> Engine:
        """The adapter."""
        return engines.find(cls.engine_name)

    @pytest.fixture(scope="class")
    @classmethod
    def run(
        cls, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[InferSession]:
        """A session with a cache of contracts alone, whose hosts know the contract's model."""
        from pytest_infer.testing import contract_model  # noqa: F401 - registers the model

        given = read_config(pytestconfig)
        session = InferSession(
            InferConfig(
                device=cls.device,
                cache=tmp_path_factory.getbasetemp() / "contract-cache",  # one export serves all
                hosts=given.hosts,
                timeout_s=given.timeout_s,
                calls=5,  # what they put out is looked at, not how long they take
                warmup=1,
            )
        )
        yield session
        session.close()

    @pytest.fixture(scope="class")
    @classmethod
    def able(cls, engine: Engine, run: InferSession) -> tuple[Precision, ...]:
        """The precisions that can run here; of an absent engine the contract has nothing to say."""
        lack = run.availability.missing(engine.name)
        if lack:
            pytest.skip(f"{engine.name}: {lack.why}; {lack.mend}")
        precisions = engine.precisions[Device.named(cls.device).kind]
        lacks = {name: run.availability.lack(engine.name, name) for name in precisions}
        able = tuple(name for name, lack in lacks.items() if lack is None)
        if not able:
            pytest.skip(f"{engine.name}: {next(filter(None, lacks.values())).why}")
        return able

    @pytest.fixture(scope="class")
    @classmethod
    def opened(cls, run: InferSession) -> Iterator[Callable[[Precision, int], EngineUnderTest]]:
        """Give an engine for a precision and a batch size; all are closed at the end."""
        taken: list[EngineUnderTest] = []

        def take(precision: Precision, batch: int) -> EngineUnderTest:
            options = tuple(sorted(cls.options.items()))
            case = Case(MODEL, cls.engine_name, precision, batch, cls.device, options)
            taken.append(EngineUnderTest(case, run.artefacts.engines.of(case), run.hosts))
            return taken[-1]

        yield take
        for engine in taken:
            engine.close()

    def test_declares_itself(self, engine: Engine) -> None:
        """Name, precisions and libraries are given in the words of the command line."""
        assert engine.name == self.engine_name
        assert engine.libraries
        for kind, precisions in engine.precisions.items():
            assert kind in {"cpu", "cuda"}
            assert precisions
            assert set(precisions) <= set(PRECISIONS)

    @pytest.mark.usefixtures("able")
    def test_imports_its_libraries(self, run: InferSession, engine: Engine) -> None:
        """What a host imports ahead is there to be imported."""
        client = EngineClient(run.hosts.shared(engine.name))
        assert client.import_libraries(engine=engine.name, doing="import libraries") == []

    def test_agrees_with_eager(
        self,
        run: InferSession,
        able: tuple[Precision, ...],
        opened: Callable[[Precision, int], EngineUnderTest],
    ) -> None:
        """Every precision gives eager's outputs, named and shaped as the spec says."""
        for precision, batch in product(able, (1, 3)):
            engine = opened(precision, batch)
            reference = Reference(engine.case, run.artefacts.eager)
            verdict = Parity(engine.case, reference, run.artefacts.models, None)(
                self._outputs(run, engine)
            )
            assert verdict.status == "pass", verdict.message

    def test_repeats_itself(
        self,
        run: InferSession,
        able: tuple[Precision, ...],
        opened: Callable[[Precision, int], EngineUnderTest],
    ) -> None:
        """The same feeds give the same outputs, and an engine that was closed opens again."""
        engine = opened(able[0], 3)
        first, second = self._outputs(run, engine), self._outputs(run, engine)
        engine.close()
        third = self._outputs(run, engine)
        for name, values in first.items():
            assert (values == second[name]).all()
            assert (values == third[name]).all()

    def test_owns_its_outputs(
        self,
        run: InferSession,
        able: tuple[Precision, ...],
        opened: Callable[[Precision, int], EngineUnderTest],
    ) -> None:
        """A later call leaves the outputs of an earlier one alone."""
        engine = opened(able[0], 3)
        feeds = run.artefacts.models.feeds(MODEL, 3)
        first = engine(feeds)
        kept = {name: values.copy() for name, values in first.items()}
        engine({name: -values for name, values in feeds.items()})
        for name, values in first.items():
            assert (values == kept[name]).all()

    def test_gives_evidence(
        self,
        engine: Engine,
        able: tuple[Precision, ...],
        opened: Callable[[Precision, int], EngineUnderTest],
    ) -> None:
        """What ran, and each setting that can be seen, is what was asked for."""
        defaults = {name: option.default for name, option in engine.options.items()}
        for precision in able:
            evidence = opened(precision, 1).evidence()
            assert evidence.precision == precision
            assert evidence.device == self.device
            assert {**defaults, **self.options, **evidence.proven} == {**defaults, **self.options}

    def test_can_be_timed(
        self,
        run: InferSession,
        able: tuple[Precision, ...],
        opened: Callable[[Precision, int], EngineUnderTest],
    ) -> None:
        """Bound feeds can be called, and every call is timed."""
        samples = run.timer(opened(able[0], 1), run.artefacts.models.feeds(MODEL, 1))
        assert len(samples.durations_ns) >= 5  # noqa: PLR2004 - the timer's least
        assert samples.percentile_ms(50) > 0

    def test_shows_what_it_times(
        self,
        run: InferSession,
        able: tuple[Precision, ...],
        opened: Callable[[Precision, int], EngineUnderTest],
    ) -> None:
        """What bound calls put out is what `infer` gives, in every precision, where it is shown."""
        for precision in able:
            engine = opened(precision, 3)
            judge = TimedCalls(engine.case, Reference(engine.case, run.artefacts.eager), None)
            verdict = judge(self._look(run, engine))
            assert verdict is None, verdict

    def test_refuses_other_inputs(
        self,
        run: InferSession,
        able: tuple[Precision, ...],
        opened: Callable[[Precision, int], EngineUnderTest],
    ) -> None:
        """A missing input is an error of running, not garbage, and leaves the host alive."""
        engine = opened(able[0], 1)
        with pytest.raises(RunError):
            engine({})
        assert self._outputs(run, engine)

    @staticmethod
    def _look(run: InferSession, engine: EngineUnderTest) -> Look:
        """Return what bound calls put out; unlike a measurement's, the host may be a used one."""
        client = EngineClient(run.hosts.shared(engine.case.engine))
        feeds, doing = run.artefacts.models.feeds(MODEL, engine.case.batch), "look at timed calls"
        runner = client.open(built=engine.built, doing=doing)
        first = client.infer(runner=runner, feeds=feeds, doing=doing)
        client.bind(runner=runner, feeds=feeds, doing=doing)
        client.time(runner=runner, calls=1, cold_l2=False, copies=False, doing=doing)
        seen = client.look(runner=runner, doing=doing)
        client.close(runner=runner, doing=doing)
        return look_from_outputs(first, seen.timed, seen.after)

    @staticmethod
    def _outputs(run: InferSession, engine: EngineUnderTest) -> dict[str, Array]:
        return engine(run.artefacts.models.feeds(MODEL, engine.case.batch))
