-- How many patients has each reader drawn, sequence by sequence and session?
SELECT phase, reader, session, count(DISTINCT patient_id) AS patients,
       median(n_voxels) AS median_voxels
FROM mask
WHERE retired_no IS NULL
GROUP BY phase, reader, session
ORDER BY phase, reader, session
