"""`run`: a scenario becomes a trace. The one place that knows SimPy's environment.

`running` is the run as a whole, `sim` a node's place in it, `waiting` what a node's behaviour waits for.
"""

from simulator.engine.running import BehaviourError, RunStopped, run, run_with_states
from simulator.engine.sim import Sim
from simulator.engine.waiting import Timer

__all__ = ["BehaviourError", "RunStopped", "Sim", "Timer", "run", "run_with_states"]
