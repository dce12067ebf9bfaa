"""The `data.licenses` section of the spec, and the record of where every row came from."""

from finewright.schema.common import Model, default


class LicensePolicy(Model):
    """Which licences rows may have, as SPDX ids or the words `copyleft`, `noncommercial`, `unknown`."""

    allow: tuple[str, ...] = default(
        (), "If any is named, rows of other licences are refused", "nothing is refused unasked"
    )
    deny: tuple[str, ...] = default((), "Rows of these are refused", "nothing is refused unasked")
