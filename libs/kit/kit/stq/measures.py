"""What the task queue counts; alerts and dashboards read these names."""

from kit import logs, metrics

tasks = metrics.counter("stq_tasks_total", "Attempts at tasks by how they ended.", ("task", "outcome"))
dead = metrics.counter("stq_dead_total", "Tasks that will not be tried again.", ("task",))
run_seconds = metrics.histogram("stq_run_seconds", "How long one attempt took.", ("task",))
queue_age = metrics.gauge("stq_queue_age_seconds", "How long the first waiting task is overdue.", ("task",))
dead_rows = metrics.gauge("stq_dead_rows", "Dead tasks that await an operator.", ("task",))
running = metrics.gauge("stq_running", "Tasks that this process runs now.", ("task",))
arrived = metrics.counter("stq_arrived_total", "Messages by what became of them.", ("outcome",))
outbox_depth = metrics.gauge("stq_outbox_rows", "Tasks for other services that are not published yet.")
outbox_age = metrics.gauge("stq_outbox_age_seconds", "Age of the first task that is not published yet.")
published = metrics.counter("stq_published_total", "Publishes of the outbox by outcome.", ("task", "outcome"))
broker_connected = metrics.gauge("stq_broker_connected", "1 while the link to the broker is up.", ("link",))
consume_failed = metrics.counter("stq_consume_failed_total", "Queues that could not be consumed.", ("task",))
bells_lost = metrics.counter("stq_bells_lost_total", "Bells that were not rung because the broker was away.")
settle_failed = metrics.counter("stq_settle_failed_total", "Acknowledgements that came too late for their channel.")

logs.allow("link", "task_id")
