-- What was done to the store, newest first?
SELECT commit_no, "at", what
FROM commit_log
ORDER BY commit_no DESC
