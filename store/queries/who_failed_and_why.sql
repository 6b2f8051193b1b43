-- Which files or units failed last, and why? One row each, newest first.
SELECT patient_id, phase, reader, session, step, error_code, error_text, path, "at"
FROM attempt
QUALIFY row_number() OVER (
    PARTITION BY step, patient_id, phase, reader, session, path, extractor_id
    ORDER BY commit_no DESC
) = 1 AND status = 'failed'
ORDER BY commit_no DESC, patient_id, phase
