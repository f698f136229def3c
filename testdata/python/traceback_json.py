import json
class Point: pass
class Encoder(json.JSONEncoder):
    def default(self, o):
        return {
            'kind': 'point',
            'x': o.x,
        }
json.dumps({'a': [Point()]}, cls=Encoder, indent=1)
