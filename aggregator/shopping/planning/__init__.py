"""The exact cart split: which offers to buy where, and the proof that no split is better."""

from aggregator.shopping.planning.planner import plan_basket

__all__ = ["plan_basket"]
