from config.api.routers import Router, under
from patients import views

router = Router()
router.register("patients", views.PatientViewSet, "patient")
router.register("tags", views.TagViewSet, "tag")
router.register("patient-merges", views.PatientMergeViewSet, "patient-merge")
router.register("duplicate-candidates", views.DuplicateCandidateViewSet, "duplicate-candidate")
router.register("access-grants", views.AccessGrantViewSet, "access-grant")
PARTS = {
    "identifiers": (views.PatientIdentifierViewSet, "patient-identifier"),
    "contacts": (views.ContactPointViewSet, "patient-contact"),
    "addresses": (views.AddressViewSet, "patient-address"),
    "related-persons": (views.RelatedPersonViewSet, "patient-related-person"),
    "coverages": (views.CoverageViewSet, "patient-coverage"),
    "allergies": (views.AllergyViewSet, "patient-allergy"),
    "medications": (views.MedicationStatementViewSet, "patient-medication"),
    "alerts": (views.AlertViewSet, "patient-alert"),
    "notes": (views.NoteViewSet, "patient-note"),
    "consents": (views.ConsentViewSet, "patient-consent"),
    "tags": (views.PatientTagViewSet, "patient-tag"),
    "merge": (views.PatientMergeIntoViewSet, "patient-merge-into"),
    "legal-holds": (views.LegalHoldViewSet, "patient-legal-hold"),
    "access-grants": (views.PatientAccessGrantViewSet, "patient-access-grant"),
}
for collection, (viewset, name) in PARTS.items():
    router.register(under("patients", "patient_id", collection), viewset, name)

urlpatterns = router.urls
