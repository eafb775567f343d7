"""What can befall an installation, and the tests with real processes that let it happen.

A test is named by its file and its function; a soak, which mixes most of these at random, is none of them.
"""

from __future__ import annotations

from collections.abc import Mapping

CATALOGUE: Mapping[str, tuple[str, ...]] = {
    "leader killed between passes, over and over": (
        "test_leadership.py::test_exactly_one_leads_and_another_plans_after_a_kill",
    ),
    "leader alive and renewing, its planning stuck": (
        "test_planning_faults.py::test_a_leader_that_is_stuck_is_helped_loudly",
        "test_planning_faults.py::test_a_leader_whose_planning_hangs_gives_the_lead_away",
    ),
    "leader killed inside a plan": ("test_planning_faults.py::test_one_leader_after_the_other_dies_within_a_plan",),
    "leader stopped past its lease, and going on": (
        "test_leadership.py::test_a_leader_that_stood_still_steps_down_and_writes_nothing",
    ),
    "several schedulers convinced that they lead": (
        "test_planning_faults.py::test_schedulers_that_all_believe_to_lead_only_waste_work",
    ),
    "leader asked to end": ("test_leadership.py::test_a_leader_that_is_asked_to_end_hands_over_at_once",),
    "worker killed idle, after the claim, in mid-POST, after the answer": (
        "test_worker_deaths.py::test_an_idle_worker_dies_and_nothing_is_late",
        "test_worker_deaths.py::test_one_worker_after_the_other_dies_between_claim_and_result",
        "test_workers.py::test_a_worker_killed_in_mid_post_loses_nothing",
        "test_workers.py::test_a_worker_killed_while_redis_is_away_loses_nothing",
    ),
    "worker stopped past its life, and going on": (
        "test_worker_deaths.py::test_a_worker_stands_still_beyond_its_life",
        "test_worker_deaths.py::test_a_worker_stands_still_in_mid_post",
    ),
    "every await of plan, claim and finish": (
        "test_every_await.py::test_every_await_on_sqlite_is_refused_and_loses_its_answer",
        "test_every_await.py::test_a_process_on_sqlite_dies_at_every_await",
        "test_every_await.py::test_a_daemon_on_postgres_dies_at_every_await",
        "test_every_await.py::test_every_await_on_postgres_is_refused_or_loses_its_answer",
        "test_every_await.py::test_one_worker_after_the_other_fails_while_it_ends",
        "test_every_await.py::test_one_leader_after_the_other_fails_while_it_ends",
        "test_every_await.py::test_one_leader_after_the_other_dies_while_it_takes_from_a_dead_worker",
        "test_every_await.py::test_a_leader_is_refused_and_loses_answers_while_it_takes_from_a_dead_worker",
        "test_every_await.py::test_a_worker_fails_while_it_gives_back_what_it_knows_nothing_of",
        "test_every_await.py::test_what_is_asked_after_a_failure_fails_too",
    ),
    "worker asked to end, once and twice": (
        "test_workers.py::test_a_worker_that_is_asked_to_end_lets_its_sends_end",
        "test_workers.py::test_a_second_signal_ends_a_worker_at_once",
        "test_worker_deaths.py::test_a_worker_that_is_asked_to_end_gives_back_what_it_has_not_sent",
        "test_workers.py::test_deploys_during_one_slow_send_do_not_fail_it",
    ),
    "an execution that kills its worker every time": (
        "test_worker_deaths.py::test_an_execution_that_kills_its_worker_ends_and_its_neighbours_do_not_suffer",
    ),
    "Redis killed, flushed, restored, full, slow, silent": (
        "test_outages.py::test_redis_gone_under_load_costs_little",
        "test_dependencies.py::test_redis_in_a_bad_state_costs_little",
        "test_dependencies.py::test_redis_that_answers_after_two_seconds_costs_little",
        "test_api_without_redis.py::test_the_api_is_as_before_without_redis",
    ),
    "one process cut off from one server": (
        "test_dependencies.py::test_one_process_is_cut_off_from_redis_only",
        "test_dependencies.py::test_a_leader_that_is_cut_off_from_postgres_steps_down",
    ),
    "Postgres restarted, crashed, its sessions killed, its answers lost": (
        "test_outages.py::test_postgres_restarted_under_load_repeats_nothing",
        "test_dependencies.py::test_postgres_fails_and_nothing_is_repeated",
        "test_dependencies.py::test_answers_of_postgres_are_lost",
    ),
    "Postgres away for long with sends in flight": (
        "test_dependencies.py::test_an_outage_of_postgres_buries_nobody_and_repeats_nothing",
    ),
    "users' acts racing plan, claim and finish": ("test_races.py::test_users_race_plan_claim_and_finish",),
    "Postgres out of connections, or read-only": (
        "test_dependencies.py::test_postgres_refuses_and_all_wait_and_recover",
    ),
    "wrong clocks": (
        "test_clocks.py::test_one_node_has_a_wrong_clock",
        "test_clocks.py::test_the_clock_of_the_database_jumps",
    ),
    "receivers in every bad state": (
        "test_receivers.py::test_every_bad_receiver_has_its_own_outcome",
        "test_receivers.py::test_a_receiver_that_comes_back_gets_what_it_missed",
    ),
    "a slow host beside a fast one": ("test_workers.py::test_a_slow_host_leaves_the_others_alone",),
    "large payloads over a slow link": ("test_workers.py::test_large_payloads_over_a_slow_link_hold_up_nothing",),
    "embedded: killed, disk full, four processes on one file": (
        "test_embedded.py::test_a_process_killed_in_the_middle_of_its_work_keeps_its_promises",
        "test_embedded.py::test_a_full_disk_is_told_of_and_outlived",
        "test_embedded.py::test_four_processes_share_one_file",
    ),
    "a restore of an older backup": ("test_embedded.py::test_after_a_restore_the_same_instants_have_the_same_ids",),
    "a herd of thousands at one instant": (
        "test_worker_deaths.py::test_five_thousand_jobs_at_one_instant_are_all_sent_within_bounds",
    ),
    "the row of a due job locked": ("test_held_rows.py::test_a_locked_job_delays_no_other",),
    "the row of an abandoned execution's job locked": (
        "test_held_rows.py::test_a_locked_job_of_a_dead_worker_keeps_no_other_execution_from_being_retried",
    ),
    "deploys during one slow send": ("test_workers.py::test_deploys_during_one_slow_send_do_not_fail_it",),
    "a key whose requests take all processing time": (
        "test_greedy_keys.py::test_a_greedy_read_key_makes_no_webhook_of_others_late",
    ),
    "pages of the largest jobs": ("test_large_pages.py::test_pages_of_large_jobs_take_little_memory",),
    "more connections than open files": ("test_many_connections.py::test_webhooks_are_sent_on_time",),
}
