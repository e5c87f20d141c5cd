"""Studies: plan, approve, start, follow, results. One address a study; the persona decides what can be done there."""

from __future__ import annotations

import uuid
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from consent.errors import CovenantError
from portal.accounts.access import persona
from portal.accounts.models import Role
from portal.pages import page, sent
from portal.studies import access, budget, cost, plans, progress, restarts, selectors, services
from portal.studies.forms import ApproveForm, CloseOutForm, PlanForm, RestartForm, StartForm, StopForm
from portal.withdrawals import monthly
from training.models import heart


@require_safe
@persona("steward", "researcher", "auditor")
def home(request: HttpRequest) -> HttpResponse:
    own = settings.NODE.msp if request.user.role == Role.STEWARD else None
    return render(request, "studies/list.html", {"studies": selectors.listed(own)})


@require_safe
@persona("steward", "researcher", "auditor")
def detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The study with its rounds; asked for by htmx, the part that changes while it runs."""
    study = access.readable(request, pk)
    own = study["sponsor"] == settings.NODE.msp and request.user.role == Role.RESEARCHER
    steward = request.user.role == Role.STEWARD
    run = selectors.run(study)
    begins = selectors.begins(study, run)
    context = {
        "study": study,
        "progress": progress.of(study),
        "legend": progress.LEGEND,
        "results": selectors.results(study),
        "files": services.released_files(study),
        "run": run,
        "begins": begins,
        "live": study["status"] in ("approved", "running", "trained"),
        "can_approve": steward and access.waits_for(study, settings.NODE.msp),
        "can_start": own and study["startable"] and not begins,
        "can_restart": own and study["status"] in ("released", "stopped"),
        "can_stop": own and study["status"] not in ("released", "stopped"),
        "owed": selectors.owed(study),
        "closed_out": selectors.closed_out(study),
        "can_receive": steward and access.owes(study, settings.NODE.msp),
        "can_close_out": own and study["status"] in ("released", "stopped") and not selectors.closed_out(study),
    }
    if request.htmx.target == "live":
        return render(request, "studies/_live.html", context)
    return render(request, "studies/study.html", {**context, "withdrawals": monthly.last()})


@persona("researcher")
def new(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The plan, in two steps at one address: the form, then what it costs; only the second sends it."""
    asked = access.plannable(pk)
    datasets = [case.dataset for case in asked["cases"] if case.status == "live" and case.dataset["live"]]
    networks = plans.networks(datasets)
    network = request.GET.get("network", "")
    network = network if network in networks else next(iter(networks), heart.MODEL)
    fitting = networks.get(network, [])
    initial = {
        **plans.defaults(network),
        "study": uuid.uuid4(),
        "quorum": min(3, len(fitting)),
        "datasets": [f"{one['dataset']}@{one['version']}" for one in fitting],
    }
    form = PlanForm(request.POST or None, initial=initial, datasets=fitting, network=network)
    context = {"asked": asked, "datasets": datasets, "network": network, "networks": networks}
    if "change" in request.POST or not form.is_bound or not form.is_valid():
        status = 422 if form.is_bound and "change" not in request.POST else 200
        return render(request, "studies/new.html", {**context, "form": form}, status=status)
    if "confirm" in request.POST and sent(request, form, services.propose, request=asked["request"], offered=datasets):
        messages.success(request, "Recorded. Each hospital now decides about exactly this plan.")
        return redirect("studies:home")
    try:
        plan = services.plan(form.cleaned_data, request=asked["request"], offered=datasets)
        quotes = budget.quotes("researcher", plan, cost.sites(plan))
        context |= {"plan": plan, "plan_digest": plans.plan_digest(plan), "quotes": quotes}
        context["untried"] = plans.untried(plan)
    except CovenantError as refusal:
        form.add_error(None, f"{refusal.message} ({refusal.code})")
    if form.errors:
        return render(request, "studies/new.html", {**context, "form": form}, status=422)
    return render(request, "studies/check.html", {**context, "form": form})


@persona("steward")
def approve(request: HttpRequest, pk: UUID) -> HttpResponse:
    study = access.approvable(request, pk)
    form = ApproveForm(request.POST or None, initial={"plan_digest": study["plan_digest"]})
    if sent(request, form, services.approve, study=study):
        messages.success(request, "Recorded. This hospital's budget is reserved for the study.")
        return redirect("studies:study", pk=pk)
    quotes = budget.quotes("steward", study["plan"], [settings.NODE.msp])
    context = {"study": study, "quotes": quotes}
    if study["plan"]["configuration"].get("public_weights"):
        context["start"] = selectors.public_start(pk)
    return page(request, "studies/approve.html", form, context)


@persona("researcher")
def start(request: HttpRequest, pk: UUID) -> HttpResponse:
    study = access.startable(request, pk)
    form = StartForm(request.POST if request.method == "POST" else None)
    if sent(request, form, services.start, study=study):
        messages.success(request, "The study's worker has been asked to run it.")
        return redirect("studies:study", pk=pk)
    return page(request, "studies/start.html", form, {"study": study})


@persona("researcher")
def stop(request: HttpRequest, pk: UUID) -> HttpResponse:
    study = access.stoppable(request, pk)
    form = StopForm(request.POST or None)
    if sent(request, form, services.stop, study=study):
        messages.success(request, "Recorded. No round of this study opens any more.")
        return redirect("studies:study", pk=pk)
    return page(request, "studies/stop.html", form, {"study": study})


@persona("researcher")
def restart(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Exact removal after a withdrawal: asked, priced, and only then proposed."""
    study = access.restartable(request, pk)
    initial = {
        "study": uuid.uuid4(),
        "title": study["title"],
        "spare_attempts": study["plan"]["spare_attempts"],
    }
    form, found = RestartForm(request.POST or None, initial=initial), None
    if "confirm" in request.POST and sent(request, form, restarts.propose, before=study):
        messages.success(request, "Recorded. Each hospital now decides about exactly this plan.")
        return redirect("studies:study", pk=form.cleaned_data["study"])
    if not form.errors and form.is_bound:
        asked = {name: value for name, value in form.cleaned_data.items() if name != "study"}
        try:
            found = restarts.planned(study, **asked)
        except CovenantError as refusal:
            form.add_error(None, f"{refusal.message} ({refusal.code})")
    context = {"study": study, "form": form, "found": found}
    if found is not None:
        context |= {"plan": found.plan, "plan_digest": plans.plan_digest(found.plan), "quotes": found.quotes}
    return render(request, "studies/restart.html", context, status=422 if form.errors else 200)


@persona("researcher")
def close_out(request: HttpRequest, pk: UUID) -> HttpResponse:
    study = access.closable(request, pk)
    form = CloseOutForm(request.POST if request.method == "POST" else None)
    if sent(request, form, services.close_out, study=study):
        messages.success(request, "Recorded. Nothing of this study is left to do.")
        return redirect("studies:study", pk=pk)
    owed = selectors.owed(study)
    shown = {"study": study, "owed": owed, "waiting": any(not back for *_, back in owed)}
    return page(request, "studies/close_out.html", form, shown)


@require_safe
@persona("researcher")
def download(request: HttpRequest, pk: UUID, name: str) -> HttpResponse:
    """A released file, byte for byte as its digest stands on the ledger."""
    return services.released_file(access.readable(request, pk), name)
