"""What the commands that list objects ask of the published file."""

from __future__ import annotations

SWEEPS = """
SELECT s.sweep_id, s.name, s.state, s.method, s.metric_name, s.metric_goal,
  s.run_count, b.run_id AS best_run, b.number AS best_value, s.created_at
FROM sweeps s LEFT JOIN (
  SELECT r.entity, r.project, r.sweep_id, r.run_id, m.number,
    row_number() OVER (
      PARTITION BY r.entity, r.project, r.sweep_id
      ORDER BY CASE WHEN w.metric_goal = 'maximize' THEN -m.number ELSE m.number END, r.run_id
    ) AS place
  FROM runs r
  JOIN sweeps w ON w.entity = r.entity AND w.project = r.project AND w.sweep_id = r.sweep_id
  JOIN run_summary m ON m.entity = r.entity AND m.project = r.project AND m.run_id = r.run_id
    AND m.key = w.metric_name AND isfinite(m.number)
  WHERE r.deleted_at IS NULL AND r.entity = $1 AND r.project = $2
) b ON b.entity = s.entity AND b.project = s.project AND b.sweep_id = s.sweep_id AND b.place = 1
WHERE s.deleted_at IS NULL AND s.entity = $1 AND s.project = $2
ORDER BY s.created_at, s.sweep_id
"""
"""Sweeps, each with the run whose last value of its metric is the best."""

VERSIONS = """
SELECT a.type, a.collection, a.version, string_agg(l.alias, ', ' ORDER BY l.alias) AS aliases,
  a.size_bytes, a.file_count, u.run_id AS logged_by, a.created_at, a.artifact_id
FROM artifacts a
LEFT JOIN artifact_aliases l ON l.entity = a.entity AND l.project = a.project
  AND l.collection = a.collection AND l.version = a.version
LEFT JOIN artifact_usage u ON u.artifact_id = a.artifact_id AND u.direction = 'output'
WHERE a.deleted_at IS NULL AND a.entity = $1 AND a.project = $2
  AND coalesce(a.type = $3, $3 IS NULL) AND coalesce(a.collection = $4, $4 IS NULL)
GROUP BY ALL ORDER BY a.type, a.collection, max(a.version_index) DESC
"""
"""Versions, the newest of each collection first."""
