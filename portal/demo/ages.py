"""The demo hospitals' rules of age: examples of how they are written, with a source for each, and no legal advice.

Majority is 18 by each `source`. Ages of assent: the United States' rules name none (45 CFR 46.408(a) leaves it to each
committee); seven is what many choose. Hungary: limited capacity from 14 is civil law; its law on research with children
(Act CLIV of 1997, on health) was not checked. Switzerland: from 14 a minor counts as an adolescent, but Article 22 asks
a younger child too who is capable of judgement, which no age can tell: a hospital there would set `assent` lower, and
look at each child. `leap_day`: no source was found for any of the four; 1 March is the later day, on which nobody is
taken for grown up too early.
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
