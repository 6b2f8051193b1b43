from sarcfeat.transform.categories import Categories

ESTIMATORS = [(Categories(), {})]
