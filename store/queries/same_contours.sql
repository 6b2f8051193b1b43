-- Which readers have the very same mask? Their agreement would be 1.
SELECT a.patient_id, a.phase, a.reader, b.reader AS other
FROM mask a
JOIN mask b
  ON a.image_id = b.image_id AND a.patient_id = b.patient_id
 AND a.voxels_hash = b.voxels_hash AND a.label = b.label AND a.reader < b.reader
WHERE a.retired_no IS NULL AND b.retired_no IS NULL
ORDER BY ALL
