"""The examples of the configuration reference: one per table, together a valid file."""

from typing import Final

EXAMPLES: Final = {
    "[monitor]": 'retention = "90d"\nheartbeat_url_env = "HEARTBEAT_URL"\n',
    "[database]": 'url = "postgresql://monitor@db.internal/monitor"\n',
    "[server]": 'listen = "127.0.0.1:9470"\n',
    "[polling]": 'interval = "10s"\nidle_interval = "2m"\n',
    "[sources.NAME] with bolna": (
        '[sources.bolna-prod]\nprovider = "bolna"\napi_key_env = "BOLNA_API_KEY"\n'
        'labels = { env = "prod" }\n'
    ),
    "[sources.NAME] with vogent": (
        '[sources.vogent]\nprovider = "vogent"\n'
        'api_key_file = "/run/credentials/monitor.service/VOGENT_API_KEY"\nrate_limit = "60/min"\n'
    ),
    "[sources.NAME] with generic": (
        '[sources.acme]\nprovider = "generic"\n'
        'url = "https://api.acme.example/v1/campaigns/{id}"\nbearer_env = "ACME_KEY"\n'
        'status = "campaign.state"\npending = ["draft", "planned"]\nrunning = ["dialing"]\n'
        'completed = ["done"]\ncancelled = ["stopped"]\n'
        'counts = "campaign.calls"\nfinal_calls = ["answered", "busy", "unreachable"]\n'
    ),
    "[sources.NAME.discover] with bolna": (
        '[sources.bolna-prod.discover]\nagents = ["6f1c8b1e-0d5a-4f0e-9a54-2b7f0c9e1d33"]\n'
    ),
    "[sources.NAME.discover] with vogent": (
        '[sources.vogent.discover]\nmax_age = "2d"\nstatuses = ["ACTIVE", "PAUSED"]\n'
    ),
    "[sources.NAME.discover] with generic": (
        '[sources.acme.discover]\nurl = "https://api.acme.example/v1/campaigns?limit=100"\n'
        'items = "campaigns"\nid = "id"\ncreated_at = "created"\nstatus = "state"\n'
        'next = { after = "has_more && last_id" }\n'
    ),
    "[sources.NAME.hours]": (
        '[sources.bolna-prod.hours]\ntimezone = "America/New_York"\ndays = [\n'
        "  { dayOfWeek = [1, 2, 3, 4, 5],"
        ' timeSlots = [{ startTime = "09:00", endTime = "18:00" }] },\n'
        '  { dayOfWeek = 6, timeSlots = [{ startTime = "10:00", endTime = "14:00" }] },\n]\n'
    ),
    "[[batches]]": (
        'source = "bolna-prod"\nid = "3c90c3cc0d444b5088888dd25736052a"\n'
        'labels = { team = "collections" }\n'
    ),
    "[receivers.NAME] with slack": (
        '[receivers.ops]\nkind = "slack"\nwebhook_url_env = "SLACK_WEBHOOK_URL"\n'
    ),
    "[receivers.NAME] with webhook": (
        '[receivers.crm]\nkind = "webhook"\nurl = "https://crm.example.com/hooks/batches"\n'
        'secret_env = "CRM_SECRET"\nheaders = { "X-Team" = "ops", "X-Token_env" = "CRM_TOKEN" }\n'
    ),
    "[[routes]]": (
        'receiver = "ops"\nmatchers = [\'type !~ "batch\\.(first_seen|counts_changed)"\']\n\n'
        '[[routes]]\nreceiver = "crm"\n'
    ),
}


def write_example(title: str) -> str:
    """Return the example of one table with its header."""
    text = EXAMPLES[title]
    return text if "NAME" in title else f"{title}\n{text}"
