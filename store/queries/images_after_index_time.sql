-- Whose images were acquired after the time of prediction, and are left out of X?
SELECT m.cohort_id, m.version, m.patient_id, i.phase, i.acquired_at, m.index_time,
       date_diff('day', m.index_time, i.acquired_at) AS days_late
FROM cohort_member m
JOIN image i USING (patient_id)
WHERE i.retired_no IS NULL AND i.acquired_at > m.index_time
ORDER BY ALL
