"""The demo hospitals' rules of age: examples of how they are written, with a source for each, and no legal advice.

What was read for them, and what was not:

- United States: 45 CFR 46.408(a), the text: it names no age and leaves it to each committee, by age, maturity and
  psychological state; seven is what a committee here has chosen. 46.402(a) leaves who is a child to the state:
  California Family Code 6500 and 6501, the text (18, from the first minute of the day of birth to the same minute of
  the corresponding day); Ohio Revised Code 3109.01, by two commentaries (18).
- Hungary: Civil Code (Act V of 2013), book two, by a commentary: no capacity below 14, limited capacity from 14 to 18.
  Decree 23/2002 (V. 9.) of the minister of health on research on humans, section 2, in a machine's translation, lists
  a minor of limited capacity beside an adult among those who declare consent (under section 159 of Act CLIV of 1997,
  whose own text was not read). Below 14 the minor's view is heard (Act CLIV, 16(5), by a commentary on care), which no
  age can tell. Whoever marries from 16 on is of age earlier: `majority` does not know that, and asks a guardian too.
- Switzerland: Human Research Act, Articles 21 and 22, the text: a child who is capable of judgement consents besides
  the representative, at whatever age that is; Articles 3(j), 3(k) and 23 (adolescents, from 14) by a summary of the
  ethics committees' practice (ECRIN), which asks for written information in a child's own words from 11 on. So
  `assent` is 11: a younger child who is capable of judgement has to be looked at one by one. Civil Code, Article 14
  (18): not read.
- `leap_day`: no statute of the four was found that names a day. California counts to "the corresponding day", which a
  year without a leap day does not have; 1 March is the later day, on which nobody is taken for grown up too early.
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
        source="Act V of 2013 on the Civil Code, 2:10 (majority), 2:11 (limited capacity); Decree 23/2002, 2 (assent)",
    ),
    "switzerland": Ages(
        name="switzerland-1",
        assent=11,
        majority=18,
        leap_day="03-01",
        zone="Europe/Zurich",
        source="Civil Code, 14 (majority); Human Research Act, 22(1), as ethics committees apply it (assent)",
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
