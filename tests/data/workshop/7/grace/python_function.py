def handler(request):
    return "Good evening, I am Grace.\n"
