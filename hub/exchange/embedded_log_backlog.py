"""How many bytes of a topic of the embedded log are unread."""

from psycopg import Connection


def unread_bytes(conn: Connection, log: str, topic: str) -> int:
    """What the slowest group of a topic has still to read; where no group is known, all that is held."""
    row = conn.execute(
        "SELECT max(unread) FROM ("
        " SELECT sum(p.bytes_total - coalesce(m.bytes_before, p.bytes_total)) AS unread"
        " FROM log_topic t JOIN log_partition p ON p.topic = t.id"
        " LEFT JOIN log_group g ON starts_with(t.name, g.topics)"
        " LEFT JOIN log_position o ON o.log = %(log)s AND o.incarnation = t.incarnation"
        " AND o.partition = p.partition AND o.group_name = g.name"
        # Offsets have no gaps, so the first unread message is there, unless everything is read.
        " LEFT JOIN log_message m ON m.partition = p.id"
        " AND m.log_offset = greatest(coalesce(o.next_offset, 0), p.first_offset)"
        " WHERE t.name = %(topic)s AND t.deleted_at IS NULL GROUP BY g.id) AS by_group",
        {"log": log, "topic": topic},
    ).fetchone()
    return int(row[0] or 0) if row is not None else 0
