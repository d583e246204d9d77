"""Simulated Bolna and Vogent APIs: real HTTP servers that show scripted lives and faults."""

from monitor.simulator.bolna import (
    Ending,
    Generation,
    SimulatedBolna,
    bolna_document,
    bolna_life,
)
from monitor.simulator.lives import Life, Step, step
from monitor.simulator.record import ServedAnswer
from monitor.simulator.server import SimulatedApi
from monitor.simulator.vogent import (
    JobEnding,
    SimulatedVogent,
    vogent_document,
    vogent_life,
)

__all__ = [
    "Ending",
    "Generation",
    "JobEnding",
    "Life",
    "ServedAnswer",
    "SimulatedApi",
    "SimulatedBolna",
    "SimulatedVogent",
    "Step",
    "bolna_document",
    "bolna_life",
    "step",
    "vogent_document",
    "vogent_life",
]
