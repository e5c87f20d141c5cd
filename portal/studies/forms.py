"""A study's plan as a researcher writes it, and what stewards and researchers press."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms

from portal.forms import Form, by_subject
from portal.grid.folders import public_weights_folder
from portal.studies import plans
from training.models import public
from training.privacy.mechanism import PATIENT

FIRST = ("title", "datasets", "epsilon", "rounds")  # what every researcher decides
SUBJECTS = (  # what the network's own numbers answer, until somebody knows better
    ("Privacy, more exactly", ("delta", "clip", "q", "metric_sigma")),
    (
        "How it trains",
        ("local_steps", "learning_rate", "schedule", "averaging", "frozen", "public_weights", "hidden"),
    ),
    (
        "Hospitals, spare attempts and deadlines",
        ("min_cohort", "quorum", "spare_attempts", "cohort_seconds", "update_seconds", "on_withdrawal"),
    ),
)
SMALLEST_COHORT = 20  # the constitution's: no plan may ask for fewer


class PlanForm(Form):
    """All public constants of a study. Sigma is not asked for: it follows from epsilon."""

    study = forms.UUIDField(widget=forms.HiddenInput)  # the form's own name: sent twice, it proposes once
    seed = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=2**31)
    title = forms.CharField(
        label="Title", max_length=120, help_text="Patients read it. Say in a few words what it is for."
    )
    datasets = forms.MultipleChoiceField(label="Data sets", widget=forms.CheckboxSelectMultiple)
    epsilon = forms.DecimalField(
        label="Epsilon",
        min_value=Decimal("0.1"),
        max_value=Decimal(10),
        decimal_places=3,
        help_text="What the whole study costs a patient, spare attempts and metrics included. Less is more private.",
    )
    delta = forms.DecimalField(
        label="Delta",
        min_value=Decimal("0.000000001"),
        max_value=Decimal("0.01"),
        decimal_places=12,
        help_text="Below 1 over the largest number of patients of any data set.",
    )
    clip = forms.DecimalField(
        label="Clip bound",
        min_value=Decimal("0.01"),
        max_value=Decimal(100),
        decimal_places=4,
        help_text="The longest gradient one patient can contribute.",
    )
    q = forms.DecimalField(
        label="Sampling rate q",
        min_value=Decimal("0.001"),
        max_value=Decimal(1),
        decimal_places=4,
        help_text="The chance of each patient to be in a step.",
    )
    rounds = forms.IntegerField(label="Rounds", min_value=1, max_value=200)
    local_steps = forms.IntegerField(label="Steps a round", min_value=1, max_value=500)
    learning_rate = forms.DecimalField(
        label="Learning rate", min_value=Decimal("0.0001"), max_value=Decimal(10), decimal_places=5
    )
    schedule = forms.ChoiceField(
        label="Learning rate over the rounds",
        choices=[
            ("constant", "Stays as it is"),
            ("linear", "Falls in equal steps"),
            ("cosine", "Falls slowly, then fast, then slowly"),
        ],
    )
    averaging = forms.DecimalField(
        label="Averaging of the rounds' models",
        min_value=Decimal(0),
        max_value=Decimal("0.999"),
        decimal_places=3,
        help_text="How much of the average stays with each round; 0 releases the last model itself. Costs no privacy.",
    )
    frozen = forms.CharField(
        label="Frozen parameters",
        required=False,
        max_length=2000,
        help_text="The beginnings of their names, apart by spaces: they stay as they start. Empty: all train.",
    )
    public_weights = forms.ChoiceField(
        label="Weights to start from",
        required=False,
        help_text="Numbers drawn from a seed, or a file of public weights, named by its SHA-256: each hospital needs "
        "its own copy. What it was trained on stands outside the study's epsilon.",
    )
    hidden = forms.IntegerField(
        label="Hidden units",
        min_value=0,
        max_value=1024,
        help_text="For tables; 0 is logistic regression, or a linear risk. For images: the growth rate, from 1 to 64."
        " For volumes: the first width, a multiple of 4 up to 32.",
    )
    metric_sigma = forms.DecimalField(
        label="Noise on metrics",
        min_value=Decimal("0.5"),
        max_value=Decimal(100),
        decimal_places=3,
        help_text="Noise multiplier of the counts behind each hospital's accuracy.",
    )
    min_cohort = forms.IntegerField(label="Smallest cohort", min_value=SMALLEST_COHORT, max_value=100_000)
    quorum = forms.IntegerField(
        label="Quorum", min_value=1, max_value=64, help_text="Hospitals without which a round does not start."
    )
    spare_attempts = forms.IntegerField(
        label="Spare attempts", min_value=0, max_value=50, help_text="Paid for in advance, used when an attempt fails."
    )
    cohort_seconds = forms.IntegerField(label="Time for cohorts (seconds)", min_value=5, max_value=86_400)
    update_seconds = forms.IntegerField(label="Time for training (seconds)", min_value=5, max_value=604_800)
    on_withdrawal = forms.ChoiceField(
        label="When a patient withdraws during a round",
        choices=[
            ("finish", "The round finishes; the next one is without that patient"),
            ("discard", "The attempt is thrown away and made again; what it spent stays spent"),
        ],
        help_text="Any withdrawal at a hospital that takes part counts, whether or not that patient was in the round.",
    )

    def __init__(self, *args: Any, datasets: list[dict[str, Any]], network: str, **named: Any) -> None:
        """`datasets`: those that train `network`, catalogue records."""
        super().__init__(*args, **named)
        self.fields["learning_rate"].help_text = plans.rate_words(network)
        files = public.named(public_weights_folder())
        self.fields["public_weights"].choices = [("", "From a seed"), *((name, name) for name in files)]
        self.fields["datasets"].choices = [
            (
                f"{one['dataset']}@{one['version']}",
                f"{one['title']}, {one['owner_title']} ({one['size_bucket']} {one.get('unit', PATIENT)}s)",
            )
            for one in datasets
        ]

    @property
    def first(self) -> list[forms.BoundField]:
        return [self[name] for name in FIRST]

    @property
    def groups(self) -> list[tuple[str, list[forms.BoundField], bool]]:
        """The rest by subject."""
        return by_subject(self, SUBJECTS)

    def clean(self) -> dict[str, Any]:
        answers = super().clean() or {}
        chosen = answers.get("datasets", [])
        owners = [name.split("/", 1)[0] for name in chosen]
        if len(set(owners)) != len(owners):
            self.add_error("datasets", "Choose one data set of each hospital.")
        if answers.get("quorum", 1) > len(chosen) > 0:
            self.add_error("quorum", f"Choose at most {len(chosen)}: as many hospitals as take part.")
        return answers


class ApproveForm(Form):
    """Carries the digest that was on the page, so that nothing else can be approved than what was read."""

    plan_digest = forms.CharField(widget=forms.HiddenInput, max_length=64)


class StartForm(Form):
    """Nothing to say: the button is the answer."""


class StopForm(Form):
    reason = forms.ChoiceField(
        label="Reason",
        choices=[
            ("sponsor.no-longer-needed", "No longer needed"),
            ("sponsor.plan-mistaken", "The plan has a mistake"),
            ("sponsor.concern", "A concern about the study"),
        ],
    )


class RestartForm(Form):
    """The rest of the plan is the ended study's. `study`: the new one's id: sent twice, the form proposes once."""

    study = forms.UUIDField(widget=forms.HiddenInput)
    consents = forms.CharField(
        label="Numbers of the withdrawn consents",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=7000,
        help_text="From receipts, one or more. An earlier consent of the same patient has another number: give both.",
    )
    title = forms.CharField(label="Title", max_length=120, help_text="Patients read it.")
    spare_attempts = forms.IntegerField(
        label="Spare attempts", min_value=0, max_value=50, help_text="Paid for in advance, used when an attempt fails."
    )


class PauseForm(Form):
    """`paused` says what the button will do: the page that offers "pause" cannot unpause by a race."""

    paused = forms.TypedChoiceField(
        widget=forms.HiddenInput, choices=[("yes", "yes"), ("no", "no")], coerce=lambda answer: answer == "yes"
    )


class ReceiveForm(Form):
    """The file itself stays with the steward: its digest is all that is sent."""

    results = forms.FileField(
        label="The results as they came",
        help_text="One file; several go into one archive. Only its SHA-256 goes on the ledger, the file is not kept.",
        error_messages={"required": "Choose the file with the results that came back."},
    )


class CloseOutForm(Form):
    """Nothing to say: the button is the answer."""


class SettleForm(Form):
    """Nothing to say: the button is the answer."""
