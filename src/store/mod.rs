//! The schema, migrations and queries behind the store actor.
