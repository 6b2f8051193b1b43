from sarcfeat.transform import ConsensusClustering

ESTIMATORS = [
    (ConsensusClustering(distance="euclidean", n_resamples=20, random_state=0), {})
]
