def handler(request):
    return "Hi from 1st ROM!\n"
