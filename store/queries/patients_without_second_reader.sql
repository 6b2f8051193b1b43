-- Who has masks of one reader only, and so no part in the reproducibility analysis?
SELECT patient_id, phase, min(reader) AS reader
FROM mask
WHERE retired_no IS NULL
GROUP BY patient_id, phase
HAVING count(DISTINCT reader) = 1
ORDER BY patient_id, phase
