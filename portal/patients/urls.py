"""The patients' addresses. They carry opaque ids of grants and studies, never anything about a person."""

from __future__ import annotations

from django.urls import path

from portal.patients import acting, appointing, desk, giving, keeping, narrowing, public, stewards, views, withdrawing

app_name = "patients"
urlpatterns = [
    path("consent/", views.home, name="home"),
    path("consent/uses/", views.uses, name="uses"),
    path("consent/uses/<uuid:study>/<int:round_>/proof.json", views.proof, name="proof"),
    path("consent/give/", giving.read, name="give"),
    path("consent/give/purpose/", giving.purpose, name="give-purpose"),
    path("consent/give/exactly/", giving.exactly, name="give-exactly"),
    path("consent/new-text/", giving.news, name="news"),
    path("consent/give/until/", giving.until, name="give-until"),
    path("consent/give/check/", giving.check, name="give-check"),
    path("consent/passkey/", keeping.passkey, name="passkey"),
    path("consent/<uuid:pk>/sign/", keeping.sign_anew, name="sign-anew"),
    path("consent/<uuid:pk>/", views.grant, name="grant"),
    path("consent/<uuid:pk>/narrow/", narrowing.purpose, name="narrow"),
    path("consent/<uuid:pk>/narrow/until/", narrowing.until, name="narrow-until"),
    path("consent/<uuid:pk>/narrow/check/", narrowing.check, name="narrow-check"),
    path("consent/<uuid:pk>/withdraw/", withdrawing.withdraw, name="withdraw"),
    path("consent/<uuid:pk>/withdraw/<uuid:study>/", withdrawing.withdraw_study, name="withdraw-study"),
    path("consent/<uuid:pk>/receipt/", views.receipt, name="receipt"),
    path("consent/<uuid:pk>/receipt.json", views.receipt_file, name="receipt-file"),
    path("consent/<uuid:pk>/acknowledgement.json", views.acknowledgement, name="acknowledgement"),
    path("patients/", desk.find, name="desk"),
    path("patients/<uuid:pk>/", desk.patient, name="desk-patient"),
    path("patients/<uuid:pk>/paper/", desk.paper, name="desk-paper"),
    path("patients/<uuid:pk>/lost/", desk.lost, name="desk-lost"),
    path("acting/", acting.home, name="acting"),
    path("acting/<uuid:pk>/", acting.one, name="acting-for"),
    path("acting/<uuid:pk>/yes/", acting.yes, name="acting-yes"),
    path("acting/<uuid:pk>/no/", acting.no, name="acting-no"),
    path("acting/said/<uuid:pk>/take-back/", acting.take_back, name="acting-back"),
    path("acting/said/<uuid:pk>/receipt.json", acting.receipt, name="acting-receipt"),
    path("acting/said/<uuid:pk>/acknowledgement.json", acting.acknowledgement, name="acting-answer"),
    path("mandates/", appointing.home, name="mandates"),
    path("mandates/age/", appointing.age, name="mandate-age"),
    path("mandates/new/", appointing.appoint, name="mandate-new"),
    path("mandates/<uuid:pk>/end/", appointing.end, name="mandate-end"),
    path("withdrawals/", stewards.refused, name="refused-withdrawals"),
    path("withdraw/", public.hand_in, name="handed-in"),
    path("withdraw/<uuid:pk>/", public.handed_in, name="handed-in-done"),
    path("withdraw/<uuid:pk>/acknowledgement.json", public.acknowledgement, name="handed-in-file"),
]
