-- Which extractors, with which settings, gave how many units of which feature set?
SELECT s.address, e.name, e.version, left(e.extractor_id, 12) AS extractor,
       left(e.params_sha256, 12) AS params, s.n AS features,
       count(u.unit_id) AS units, round(avg(u.seconds), 3) AS seconds_each
FROM feature_set s
JOIN extractor e USING (extractor_id)
LEFT JOIN feature_vector v USING (feature_set_id)
LEFT JOIN unit u ON u.unit_id = v.unit_id AND u.retired_no IS NULL
GROUP BY ALL
ORDER BY s.address, units DESC
