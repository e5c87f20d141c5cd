"""The demo hospitals' rules of age, as the law of their places sets majority; ages of assent are a committee's choice.

The United States' rules name no age of assent (45 CFR 46.408(a)); these two hospitals ask from seven on, as many do.
"""

from __future__ import annotations

from consent.mandate import Ages

AGES = {
    "cleveland": Ages(
        name="ohio-1",
        assent=7,
        majority=18,
        leap_day="03-01",
        zone="America/New_York",
        source="Ohio Revised Code 3109.01 (majority); 45 CFR 46.408(a), as our ethics committee applies it (assent)",
    ),
    "hungary": Ages(
        name="hungary-1",
        assent=14,
        majority=18,
        leap_day="03-01",
        zone="Europe/Budapest",
        source="Act V of 2013 on the Civil Code, 2:10 (majority), 2:11 (limited capacity from 14)",
    ),
    "switzerland": Ages(
        name="switzerland-1",
        assent=14,
        majority=18,
        leap_day="03-01",
        zone="Europe/Zurich",
        source="Civil Code, Article 14 (majority); Human Research Act, Articles 3(k), 21 to 23 (adolescents from 14)",
    ),
    "longbeach": Ages(
        name="california-1",
        assent=7,
        majority=18,
        leap_day="03-01",
        zone="America/Los_Angeles",
        source="California Family Code 6500 (majority); 45 CFR 46.408(a), as our ethics committee applies it (assent)",
    ),
}
