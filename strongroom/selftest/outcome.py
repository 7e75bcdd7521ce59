"""What a run has found."""

from collections import Counter
from dataclasses import dataclass, field

from strongroom.selftest.catalogue import ATTACKS
from strongroom.selftest.trial import Attack

_SHOWN_FAULTS = 20


@dataclass
class Outcome:
    """Counts, trial by trial; `passed` is the verdict."""

    seed: int
    tried: Counter[str] = field(default_factory=Counter)
    fooled: Counter[str] = field(default_factory=Counter)
    honest: int = 0
    """Honest exchanges that were made beside the attacks, all between two of them."""
    honest_failed: int = 0
    faults: list[str] = field(default_factory=list)
    """Trials that ended in another way than the attack's defence gives, and honest exchanges that failed."""
    repeated: int = 0
    """Trials that were inconclusive once, and were made again."""
    control: dict[str, bool] = field(default_factory=dict)
    """Attacks that must fool the control client, by name, and whether they did."""
    seconds: float = 0.0

    @property
    def trials(self) -> int:
        """All of them."""
        return self.tried.total()

    @property
    def accepted(self) -> int:
        """Trials in which somebody was fooled."""
        return self.fooled.total()

    @property
    def honest_ok(self) -> bool:
        """Whether every honest exchange gave the honest answer with its receipt, and there were some."""
        return self.honest > 0 and self.honest_failed == 0

    @property
    def control_caught(self) -> bool:
        """Whether the control client was fooled by every attack that meets a check which it lacks."""
        return bool(self.control) and all(self.control.values())

    @property
    def passed(self) -> bool:
        """Nothing accepted, nothing unclear, everything honest answered, the control fooled."""
        return self.accepted == 0 and not self.faults and self.honest_ok and self.control_caught

    @property
    def shown_faults(self) -> list[str]:
        """The first of them."""
        return self.faults[:_SHOWN_FAULTS]

    def add(self, attack: Attack, fooled: bool) -> None:
        """Count one trial."""
        self.tried[attack.name] += 1
        self.fooled[attack.name] += fooled

    def to_json(self) -> dict[str, object]:
        """For one line."""
        return {
            "simulated": True,
            "passed": self.passed,
            "accepted": self.accepted,
            "trials": self.trials,
            "honest_ok": self.honest_ok,
            "honest": self.honest,
            "control_caught": self.control_caught,
            "repeated": self.repeated,
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "faults": self.shown_faults,
            "attacks": [
                {
                    "name": attack.name,
                    "trials": self.tried[attack.name],
                    "accepted": self.fooled[attack.name],
                    "control_fooled": self.control.get(attack.name),
                    "threat": attack.threat,
                }
                for attack in ATTACKS
            ],
        }
