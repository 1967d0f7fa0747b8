"""Plan files: a plan written as JSON."""

from __future__ import annotations

import json
from decimal import Decimal

from aggregator.domain.carts import Plan, PlanStatus
from aggregator.domain.money import currency_exponent


def write_plan(plan: Plan) -> str:
    """The plan as JSON text, ending in a newline."""
    decimals = currency_exponent(plan.currency)

    def amount(value: Decimal) -> str:
        return f"{value:.{decimals}f}"

    def optional(value: Decimal | None) -> str | None:
        return None if value is None else amount(value)

    single = plan.single_store
    document = {
        "status": plan.status.value,
        "currency": plan.currency,
        "total": "0" if plan.status is PlanStatus.INFEASIBLE else amount(plan.total),
        "bound": "0" if plan.status is PlanStatus.INFEASIBLE else optional(plan.bound),
        "complete": plan.complete,
        "estimated": plan.estimated,
        "units": plan.units,
        "allocations": [
            {"line": a.line, "offer": a.offer, "store": a.store, "quantity": a.quantity, "units": a.units}
            for a in plan.allocations
        ],
        "stores": [
            {
                "store": share.store,
                "subtotal": amount(share.subtotal),
                "shipping": optional(share.shipping),
                "discount": amount(share.discount),
                "coupon": share.coupon,
                "deposit": amount(share.deposit),
            }
            for share in plan.stores
        ],
        "missing": [
            {"line": line.line, "quantity": line.quantity, "reason": line.reason.value}
            for line in plan.missing
        ],
        "surplus": [{"line": line.line, "quantity": line.quantity} for line in plan.surplus],
        "frontier": [
            {
                "max_stores": point.max_stores,
                "units": point.units,
                "total": amount(point.total),
                "complete": point.complete,
                "proven": point.proven,
            }
            for point in plan.frontier
        ],
        "single_store": None
        if single is None
        else {"store": single.store, "total": amount(single.total), "complete": single.complete},
        "cheapest_per_line": {
            "total": amount(plan.cheapest_per_line.total),
            "complete": plan.cheapest_per_line.complete,
        },
        "cheapest_known_parts": {
            "total": amount(plan.cheapest_known_parts.total),
            "unknown_stores": plan.cheapest_known_parts.unknown_stores,
        },
    }
    return json.dumps(document, indent=2) + "\n"
