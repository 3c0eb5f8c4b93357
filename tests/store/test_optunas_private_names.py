"""What tunefast uses of Optuna though it is private: a release that changes it fails here, not in a user's study."""

from __future__ import annotations

import optuna
import sqlalchemy as sa
from optuna.storages import InMemoryStorage
from optuna.storages._rdb import models
from optuna.trial import TrialState

from tests.store.databases import (
    OPTUNA_TABLES,
    STUDY,
)
from tunefast.store import rows

COLUMNS = {
    "studies": "study_id study_name",
    "study_directions": "study_direction_id direction study_id objective",
    "study_user_attributes": "study_user_attribute_id study_id key value_json",
    "study_system_attributes": "study_system_attribute_id study_id key value_json",
    "trials": "trial_id number study_id state datetime_start datetime_complete",
    "trial_params": "param_id trial_id param_name param_value distribution_json",
    "trial_values": "trial_value_id trial_id objective value value_type",
    "trial_intermediate_values": "trial_intermediate_value_id trial_id step intermediate_value intermediate_value_type",
    "trial_user_attributes": "trial_user_attribute_id trial_id key value_json",
    "trial_system_attributes": "trial_system_attribute_id trial_id key value_json",
    "trial_heartbeats": "trial_heartbeat_id trial_id heartbeat",
}
UNIQUE = {
    "trial_params": {"trial_id", "param_name"},
    "trial_values": {"trial_id", "objective"},
    "trial_intermediate_values": {"trial_id", "step"},
    "trial_user_attributes": {"trial_id", "key"},
    "trial_system_attributes": {"trial_id", "key"},
}


def test_optunas_tables_are_those_we_write() -> None:
    """An Optuna release that adds, drops or renames a table or a column fails here, not in a user's study."""
    tables = {table.name: table for table in models.BaseModel.metadata.sorted_tables}
    assert {name: " ".join(table.columns.keys()) for name, table in tables.items()} == COLUMNS | {
        "version_info": "version_info_id schema_version library_version"
    }
    ours = {table.name for table in vars(rows).values() if isinstance(table, sa.Table)}
    assert ours == set(COLUMNS) == set(OPTUNA_TABLES)
    for name, columns in UNIQUE.items():
        keys = [set(key.columns.keys()) for key in tables[name].constraints if isinstance(key, sa.UniqueConstraint)]
        assert keys == [columns]


def test_optunas_memory_is_the_one_we_extend() -> None:
    """An Optuna release that keeps its in-memory trials in another way fails here."""
    memory = InMemoryStorage()
    memory._max_study_id, memory._max_trial_id = 6, 40
    study_id = memory.create_new_study([optuna.study.StudyDirection.MINIMIZE], STUDY)
    trial_id = memory.create_new_trial(study_id)
    assert (study_id, trial_id) == (7, 41)
    trial = memory._studies[study_id].trials[0]
    assert (trial._trial_id, trial.number) == (41, 0)
    memory._set_trial(trial_id, optuna.trial.create_trial(state=TrialState.FAIL))
    assert memory.get_trial(trial_id).state == TrialState.FAIL
