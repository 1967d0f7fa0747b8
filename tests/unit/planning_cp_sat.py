"""The exact oracle of basket files: another solver (CP-SAT), in a process of its own, sharing no code with us.

    python tests/unit/planning_cp_sat.py < BASKETS > ANSWERS

BASKETS holds one basket file a line. An answer a line: {"units", "unknown", "ranked", "stores", "proven"}: wanted
units bought, stores of unknown shipping, minor units paid with what ranks besides, stores used.
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from typing import Any

from ortools.sat.python import cp_model

_DECIMALS = {"EUR": 2, "JPY": 0, "KWD": 3}


class Model:
    """One basket. Every rule is stated as such, enforced by the 0/1 that it depends on."""

    def __init__(self, basket: dict[str, Any]) -> None:
        self.basket = basket
        self.decimals = _DECIMALS[basket["currency"]]
        self.model = cp_model.CpModel()
        self.assumes = basket.get("assumed_shipping") is not None
        self.assumed = self.minor(basket.get("assumed_shipping"))
        self.parcel = self.minor(basket.get("parcel_value"))
        self.wanted = {line["id"]: line["quantity"] for line in basket["lines"]}
        self.offers = self.usable_offers()
        self.packs = {
            at: self.model.new_int_var(0, self.most(offer), f"packs {at}")
            for at, offer in self.offers.items()
        }
        self.costs: list[Any] = []
        self.used: list[Any] = []
        self.unknown: list[Any] = []
        self.ceiling = 1
        self.short = [self.add_line(line) for line in self.wanted]
        for store in basket["stores"]:
            self.add_store(store)
        if basket.get("max_stores") is not None:
            self.model.add(sum(self.used) <= basket["max_stores"])

    def minor(self, amount: object) -> int:
        return 0 if amount is None else int(Decimal(str(amount)).scaleb(self.decimals))

    def usable_offers(self) -> dict[int, dict[str, Any]]:
        closed = {store["id"] for store in self.basket["stores"] if store.get("excluded")}
        pinned = {offer["line"] for offer in self.basket["offers"] if offer.get("pinned")}
        return {
            at: offer
            for at, offer in enumerate(self.basket["offers"])
            if not offer.get("excluded")
            and offer["store"] not in closed
            and (offer.get("pinned") or offer["line"] not in pinned)
        }

    def most(self, offer: dict[str, Any]) -> int:
        stock, wanted = offer.get("stock"), int(self.wanted[offer["line"]])
        return wanted if stock is None else min(wanted, int(stock))

    def add_line(self, line: str) -> Any:
        """Returns the units that the line falls short."""
        wanted = self.wanted[line]
        offers = [
            (at, offer.get("pack_size", 1)) for at, offer in self.offers.items() if offer["line"] == line
        ]
        units = sum(self.packs[at] * size for at, size in offers)
        for at, size in offers:
            if size == 1:
                continue
            bought = self.model.new_bool_var("")
            self.model.add(self.packs[at] == 0).only_enforce_if(~bought)
            self.model.add(units <= wanted + size - 1).only_enforce_if(bought)
        singles = [at for at, size in offers if size == 1]
        if len(singles) == len(offers):
            self.model.add(units <= wanted)
        elif singles:
            bought = self.model.new_bool_var("")
            self.model.add(sum(self.packs[at] for at in singles) == 0).only_enforce_if(~bought)
            self.model.add(units <= wanted).only_enforce_if(bought)
        short = self.model.new_int_var(0, wanted, "")
        self.model.add(short + units >= wanted)
        return short

    def add_store(self, store: dict[str, Any]) -> None:
        offers = {at: offer for at, offer in self.offers.items() if offer["store"] == store["id"]}
        rule = store.get("shipping")
        if not offers:
            return
        prices = {at: self.minor(offer["price"]) for at, offer in offers.items()}
        reach = sum(prices[at] * self.most(offer) for at, offer in offers.items())
        subtotal = sum(self.packs[at] * prices[at] for at in offers)
        used = self.model.new_bool_var("")
        self.used.append(used)
        self.model.add(sum(self.packs[at] for at in offers) >= used)
        for at, offer in offers.items():
            self.model.add(self.packs[at] <= self.most(offer) * used)
        self.costs += [subtotal, used * (self.parcel + (self.assumed if rule is None else 0))]
        self.ceiling += reach + self.parcel + self.assumed
        for at, offer in offers.items():
            self.add_besides(at, offer, known=rule is not None)
        if rule is None:
            self.unknown.append(used)
        discount = self.model.new_int_var(0, reach, "")
        self.add_discount(store, used, subtotal, discount)
        self.costs.append(-discount)
        if rule is not None:
            self.add_fee(rule, used, subtotal - discount)

    def add_besides(self, at: int, offer: dict[str, Any], *, known: bool) -> None:
        each = self.minor(offer.get("deposit")) + (self.minor(offer.get("unit_shipping")) if known else 0)
        once = self.minor(offer.get("line_shipping")) if known else 0
        self.ceiling += each * self.most(offer) + once
        if each:
            self.costs.append(each * self.packs[at])
        if once:
            bought = self.model.new_bool_var("")
            self.model.add(self.packs[at] <= self.most(offer) * bought)
            self.costs.append(once * bought)

    def add_discount(self, store: dict[str, Any], used: Any, subtotal: Any, discount: Any) -> None:
        """At most what the one coupon that is used takes off; more off is never worse but for the tiers.

        Since those see what is left, the discount is exactly the coupon's.
        """
        without = self.model.new_bool_var("")
        self.model.add(discount == 0).only_enforce_if(without)
        ways = [without]
        for coupon in store.get("coupons", []):
            taken = self.model.new_bool_var("")
            ways.append(taken)
            self.model.add(subtotal >= self.minor(coupon.get("min_subtotal"))).only_enforce_if(taken)
            if coupon.get("percent") is not None:
                rate = int(Decimal(str(coupon["percent"])) * 100)
                self.model.add(10_000 * discount <= rate * subtotal).only_enforce_if(taken)
                self.model.add(10_000 * discount >= rate * subtotal - 9_999).only_enforce_if(taken)
                continue
            amount = self.minor(coupon["amount"])
            whole = self.model.new_bool_var("")
            self.model.add(discount == amount).only_enforce_if(taken, ~whole)
            self.model.add(subtotal >= amount).only_enforce_if(taken, ~whole)
            self.model.add(discount == subtotal).only_enforce_if(taken, whole)
            self.model.add(subtotal <= amount).only_enforce_if(taken, whole)
        self.model.add_exactly_one(ways)

    def add_fee(self, rule: dict[str, Any], used: Any, left: Any) -> None:
        """One tier of a used store: what is left lies between its start and the next one's."""
        least = self.minor(rule.get("min_order"))
        tiers = sorted((self.minor(tier["min_subtotal"]), self.minor(tier["cost"])) for tier in rule["tiers"])
        ways = []
        for at, (start, cost) in enumerate(tiers):
            chosen = self.model.new_bool_var("")
            ways.append(chosen)
            self.model.add(left >= max(start, least) * chosen)
            if at + 1 < len(tiers):
                self.model.add(left < tiers[at + 1][0]).only_enforce_if(chosen)
            self.costs.append(cost * chosen)
        self.ceiling += max((cost for _, cost in tiers), default=0)
        self.model.add(sum(ways) == used)

    def answer(self) -> dict[str, Any]:
        """Solve for all of the order at once: units, unknown stores, cost, stores."""
        ranks_unknown = [] if self.assumes else self.unknown
        fewest = len(self.used) + 1
        dearer = 2 * self.ceiling * fewest
        missing = (len(self.unknown) + 1) * dearer
        objective = missing * sum(self.short) + dearer * sum(ranks_unknown)
        self.model.minimize(objective + fewest * sum(self.costs) + sum(self.used))
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.linearization_level = 2
        status = solver.solve(self.model)
        return {
            "units": sum(self.wanted.values()) - solver.value(sum(self.short)),
            "unknown": solver.value(sum(self.unknown)),
            "ranked": solver.value(sum(self.costs)),
            "stores": solver.value(sum(self.used)),
            "proven": status == cp_model.OPTIMAL,
        }


def main() -> None:
    """Answer each basket as it comes."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps(Model(json.loads(line)).answer()) + "\n")


if __name__ == "__main__":
    main()
