"""A double of the module pynvml: each call has an answer, or is refused as a driver refuses it."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace

UUID = "GPU-5a2c7bd1-0000-1111-2222-333344445555"


class NVMLError(Exception):
    """What every refused call raises."""


class FakeNvml(ModuleType):
    """Answers from ``answers``; a value that is an exception is raised; calls are counted."""

    NVMLError = NVMLError

    def __init__(self, **answers) -> None:
        super().__init__("pynvml")
        self.answers = {
            "nvmlInit": None,
            "nvmlDeviceGetHandleByUUID": "board",
            "nvmlDeviceIsMigDeviceHandle": 0,
        } | answers
        self.asked: list[tuple] = []

    def __getattr__(self, call):
        """Return a call; one that these bindings do not have is an `AttributeError`."""
        if call.startswith("__") or call not in self.answers:
            raise AttributeError(call)

        def asked(*arguments):
            self.asked.append((call, *arguments))
            answer = self.answers[call]
            if callable(answer):
                answer = answer(*arguments)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return asked

    def refuse(self, *calls: str) -> None:
        """Let calls be NotSupported from now on; all that a watch makes, if none is named."""
        for call in calls or [name for name in self.answers if "Get" in name]:
            if "Handle" not in call:
                self.answers[call] = NVMLError("Not Supported")


def process(pid, used_bytes=None):
    """Return a process as NVML lists it."""
    return SimpleNamespace(pid=pid, usedGpuMemory=used_bytes)


class Board:
    """A GPU whose every call is answered: 1980 MHz, 700 W, idle, nothing limited yet."""

    def __init__(self) -> None:
        self.reasons = 0x1
        self.limited_ns = dict.fromkeys(range(6), 5_000)
        self.energy_mj = 1_000_000
        self.processes: list = []

    def nvml(self) -> FakeNvml:
        """Return the module that shows it."""
        return FakeNvml(
            nvmlDeviceGetUUID=UUID,
            nvmlDeviceGetClockInfo=lambda _, kind: {1: 1980, 2: 3201}[kind],
            nvmlDeviceGetTemperature=31,
            nvmlDeviceGetPowerUsage=120_500,
            nvmlDeviceGetEnforcedPowerLimit=700_000,
            nvmlDeviceGetTotalEnergyConsumption=lambda _: self.energy_mj,
            nvmlDeviceGetUtilizationRates=SimpleNamespace(gpu=40, memory=3),
            nvmlDeviceGetMemoryInfo=SimpleNamespace(used=512 << 20),
            nvmlDeviceGetCurrentClocksEventReasons=lambda _: self.reasons,
            nvmlDeviceGetViolationStatus=lambda _, policy: SimpleNamespace(
                violationTime=self.limited_ns[policy]
            ),
            nvmlDeviceGetComputeRunningProcesses=lambda _: self.processes,
            nvmlDeviceGetGraphicsRunningProcesses=lambda _: [],
        )
