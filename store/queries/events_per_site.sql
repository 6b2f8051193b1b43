-- How many patients and events has each hospital, endpoint by endpoint?
WITH site AS (
    SELECT patient_id, arg_max(value_text, commit_no) AS site
    FROM clinical
    WHERE role = 'site' AND retired_no IS NULL
    GROUP BY patient_id
)
SELECT endpoint, coalesce(site, 'not stated') AS site, count(*) AS patients,
       count(*) FILTER (event = 1) AS events,
       count(*) FILTER (event > 1) AS competing,
       median(time_days) AS median_days
FROM outcome
LEFT JOIN site USING (patient_id)
WHERE retired_no IS NULL
GROUP BY ALL
ORDER BY endpoint, site
